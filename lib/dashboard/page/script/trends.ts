import { TREND_SLICES } from '../../../admin/trend.js';

/**
 * Lines of the last quarter of an hour, each as an image with a text of its own. What is not known is a gap;
 * an operation without calls has a rate of nothing, and no latency. Only what is in sight is drawn.
 */
export const trends = `
var SLICES = ${TREND_SLICES};
var SLICE_S = 10;
var WIDTH = 120, HEIGHT = 24;
var ALL = ''; // no operation is called so
var trendLast = -1; // the number of the latest slice
var trendPoints = new Map(); // up to that slice; nothing is a gap, and 0 a slice without calls
var limitPoints = new Map(); // the same, of adaptive bulkheads
var sparks = new Set();

function perSecond(index) { return function (point) { return point === undefined ? undefined : point === 0 ? 0 : point[index] / SLICE_S; }; }

/** What is drawn: lines over one scale, and what is said of them. */
var SPARKS = {
  calls: [{ title: 'Calls', of: perSecond(0), text: rateText, class: 'area' }, { title: 'Errors', of: perSecond(1), text: rateText, class: 'seen' },
    { title: 'Hidden errors', of: perSecond(2), text: rateText, class: 'hid' }],
  p99: [{ title: 'p99', of: function (point) { return point ? point[3] === null ? undefined : point[3] : undefined; }, text: duration, class: 'p99' }]
};
SPARKS.limit = [{ title: 'Limit', of: function (value) { return value; }, text: number, class: 'p99' }];
SPARKS.rate = SPARKS.calls.slice(0, 1);
SPARKS.seen = SPARKS.calls.slice(1, 2);
SPARKS.hid = SPARKS.calls.slice(2);

function rateText(value) { return value === 0 ? 'none' : rate(value) + ' per second'; }

function mean(values) {
  return values.reduce(function (sum, value) { return sum + value; }, 0) / values.length;
}

/** Of the last minute, against the four before. */
function direction(values) {
  var known = function (value) { return value !== undefined; };
  var now = values.slice(-6).filter(known), before = values.slice(-30, -6).filter(known);
  if (now.length === 0 || before.length === 0) return '';
  var ratio = mean(now) / (mean(before) || 1e-9);
  if (mean(now) === 0 && mean(before) === 0) return '';
  return ratio > 1.2 ? ', rising' : ratio < 1 / 1.2 ? ', falling' : ', steady';
}

/** The latest of the last minute that is known. */
function latest(values) {
  return values.slice(-6).filter(function (value) { return value !== undefined; }).pop();
}

function sparkText(lines, series) {
  if (!series.some(function (values) { return values.some(Boolean); })) return lines[0].title + ': none in 15 minutes';
  return lines.map(function (line, index) {
    var value = latest(series[index]);
    return line.title + ' ' + (value === undefined ? 'not known now' : line.text(value)) + direction(series[index]);
  }).join('; ') + '; over 15 minutes';
}

/** One stroke for each run of values, from the right end; a value alone is a dot. */
function pathOf(values, top, closed) {
  var path = '', start;
  var offset = SLICES - values.length;
  var x = function (index) { return Math.round((index + offset) / (SLICES - 1) * WIDTH * 10) / 10; };
  values.forEach(function (value, index) {
    if (value === undefined) return;
    var y = Math.round((HEIGHT - 1.5 - value / top * (HEIGHT - 3)) * 10) / 10;
    var begins = index === 0 || values[index - 1] === undefined;
    var ends = index === values.length - 1 || values[index + 1] === undefined;
    if (begins) start = x(index);
    path += (begins ? (closed ? 'M' + start + ' ' + HEIGHT + 'L' : 'M') : 'L') + x(index) + ' ' + y;
    if (ends && closed) path += 'L' + x(index) + ' ' + HEIGHT + 'Z';
    else if (ends && begins) path += 'h.1';
  });
  return path;
}

function svg(tag, attributes, children) {
  var element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  Object.entries(attributes).forEach(function (entry) { element.setAttribute(entry[0], entry[1]); });
  (children || []).forEach(function (child) { element.append(child); });
  return element;
}

var insight = new IntersectionObserver(function (entries) {
  entries.forEach(function (entry) {
    var spark = entry.target.spark;
    spark.visible = entry.isIntersecting;
    if (spark.visible && spark.stale) drawSpark(spark);
  });
});

/** A place for a line, drawn whenever there is something new. */
function makeSpark(name, kind) {
  var lines = SPARKS[kind];
  var paths = [];
  lines.forEach(function (line) {
    if (line.class === 'area') paths.push(svg('path', { class: 'fill' }));
    paths.push(svg('path', { class: line.class }));
  });
  var element = svg('svg', { class: 'spark', role: 'img', viewBox: '0 0 ' + WIDTH + ' ' + HEIGHT, preserveAspectRatio: 'none' }, paths);
  var spark = { element: element, name: name, lines: lines, visible: false, stale: true };
  element.spark = spark;
  sparks.add(spark);
  insight.observe(element);
  showSpark(spark);
  return element;
}

function seriesOf(spark) {
  var points = (spark.lines === SPARKS.limit ? limitPoints : trendPoints).get(spark.name) || [];
  return spark.lines.map(function (line) { return points.map(line.of); });
}

function showSpark(spark) {
  setAttribute(spark.element, 'aria-label', sparkText(spark.lines, seriesOf(spark)));
  spark.stale = true;
  if (spark.visible) drawSpark(spark);
}

function drawSpark(spark) {
  var series = seriesOf(spark);
  var top = Math.max.apply(null, [].concat.apply([1e-9], series).filter(function (value) { return value !== undefined; }));
  var next = 0;
  spark.lines.forEach(function (line, index) {
    var paths = spark.element.children;
    if (line.class === 'area') setAttribute(paths[next++], 'd', pathOf(series[index], top, true));
    setAttribute(paths[next++], 'd', pathOf(series[index], top, false));
  });
  spark.stale = false;
}

/** Puts the news at the end of what is known, with whatever is missing between. */
function goOn(name, news, it, step) {
  var points = trendPoints.get(name) || [];
  var isKnown = points.length > 0;
  for (var number = it.last - step + 1; number <= it.last; number++) {
    var at = news.length - 1 - (it.last - number);
    points.push(at >= 0 ? news[at] : isKnown && name !== ALL && number >= it.first ? 0 : undefined);
  }
  trendPoints.set(name, points.slice(-SLICES));
}

function takeTrends(frame) {
  var it = frame.trends;
  if (!it) return;
  if (frame.whole) trendPoints.clear();
  var step = frame.whole ? it.last - it.first + 1 : it.last - trendLast;
  if (step <= 0) return;
  trendLast = it.last;
  var news = new Map(it.operations);
  new Set(Array.from(trendPoints.keys()).concat(Array.from(news.keys()))).forEach(function (name) {
    if (name !== ALL) goOn(name, news.get(name) || [], it, step);
  });
  goOn(ALL, it.all, it, step);
  it.limits.forEach(function (limit) {
    limitPoints.set(limit[0], (frame.whole ? [] : limitPoints.get(limit[0]) || []).concat(limit[1].slice(-step)).slice(-SLICES));
  });
  sparks.forEach(function (spark) {
    if (spark.element.isConnected) return showSpark(spark);
    insight.unobserve(spark.element);
    sparks.delete(spark);
  });
}
`;
