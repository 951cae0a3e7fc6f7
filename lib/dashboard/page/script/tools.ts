/** Small things that all parts use. Text goes in as text: nothing here parses HTML. */
export const tools = `
function byId(id) { return document.getElementById(id); }

function make(tag, attributes, children) {
  var element = document.createElement(tag);
  Object.entries(attributes || {}).forEach(function (entry) { element.setAttribute(entry[0], entry[1]); });
  (children || []).forEach(function (child) { element.append(child); });
  return element;
}

/** Touches the page only where something is different. */
function setText(element, text) {
  text = String(text);
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  value = String(value);
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function setClass(element, name, on) {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

/** Puts the elements of items in their order, and moves no more of them than it must. */
function inOrder(parent, items) {
  var next = parent.firstChild;
  items.forEach(function (item) {
    if (item.element === next) next = next.nextSibling;
    else parent.insertBefore(item.element, next);
  });
}

var whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
var tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
var clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

function number(value) { return (value < 10 ? tenth : whole).format(value); }
function rate(value) { return value > 0 && value < 0.1 ? '<' + tenth.format(0.1) : number(value); }

/** Never rounded to 0 % or 100 % when it is not. */
function percent(value) {
  if (value > 0 && value < 0.1) return '<' + tenth.format(0.1) + ' %';
  if (value > 99 && value < 100) return tenth.format(Math.floor(value * 10) / 10) + ' %';
  return number(value) + ' %';
}

function duration(ms) {
  if (ms === undefined) return '–';
  if (ms < 1000) return number(ms) + ' ms';
  return ms < 60000 ? tenth.format(ms / 1000) + ' s' : tenth.format(ms / 60000) + ' min';
}

function seconds(s) {
  if (s < 60) return s + ' s';
  return s < 3600 ? Math.floor(s / 60) + ' min ' + (s % 60) + ' s' : Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
}

var day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
var zone = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' });

/** With the day where it is not today. */
function moment(iso) {
  var date = new Date(iso);
  return (date.toDateString() === new Date().toDateString() ? '' : day.format(date) + ' ') + clock.format(date);
}

/** The browser's zone, by name and by what it is now. */
function zoneName() {
  var part = zone.formatToParts(new Date()).find(function (it) { return it.type === 'timeZoneName'; });
  return zone.resolvedOptions().timeZone + (part ? ' (' + part.value + ')' : '');
}

function time(iso, before) {
  return make('time', { datetime: iso, title: new Date(iso).toLocaleString() }, [(before || '') + moment(iso)]);
}

/** An error in one line, with what it came from. */
function failureText(failure) {
  var text = failure.type + ': ' + failure.message;
  return failure.cause ? text + ' (caused by ' + failure.cause.type + ': ' + failure.cause.message + ')' : text;
}

var STATES = {
  CLOSED: ['Closed', '●'], OPEN: ['Open', '▲'], HALF_OPEN: ['Half-open', '◐'],
  FORCED_OPEN: ['Forced open', '■'], DISABLED: ['Disabled', '○']
};
/** What needs somebody's eye comes first. */
var SEVERITY = { OPEN: 4, FORCED_OPEN: 3, HALF_OPEN: 2, DISABLED: 1, CLOSED: 0 };

/** A word and a shape: the colour alone says nothing to some. */
function showState(badge, state) {
  var known = STATES[state] || [state, '?'];
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.replaceChildren(make('span', { 'aria-hidden': 'true' }, [known[1] + ' ']), known[0]);
}

function badge(state) {
  var element = make('span', { class: 'badge' });
  showState(element, state);
  return element;
}

var query = '';
function matches(text) { return text.toLowerCase().includes(query); }
`;
