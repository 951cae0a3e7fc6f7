/** The lists, which are small and are made anew when they change. */
export const transitions = `
var REASONS = {
  'failure-threshold': 'too many failures', 'failure-rate': 'failure rate', 'slow-call-rate': 'too many slow calls',
  'open-time-passed': 'time for a probe', 'probe-failed': 'the probe failed', 'probes-succeeded': 'the probes succeeded',
  'forced-open': 'forced open', 'disabled': 'disabled', 'reset': 'closed by hand',
  'fleet-forced': 'forced open for the whole fleet', 'fleet-disabled': 'disabled for the whole fleet', 'fleet-reset': 'closed by hand for the whole fleet',
  'fleet-opened': 'opened by the fleet', 'fleet-closed': 'closed by the fleet'
};

/** More than fit on a phone's screen are shown when somebody asks for them. */
var SHOWN = 6;

function reasonText(reason) { return REASONS[reason] || reason; }

/** What was counted when it opened. */
function openingText(opening) {
  return reasonText(opening.reason) + ', ' + opening.failures + ' of ' + opening.calls + ' (' + percent(opening.failureRate) + ')';
}

function times(count) { return count === 1 ? 'once' : whole.format(count) + ' times'; }
function counted(count, what) { return whole.format(count) + ' ' + what + (count === 1 ? '' : 's'); }

function probesText(it) {
  return counted(it.probes, 'probe') + ': '
    + (it.failedProbes === 0 ? 'all succeeded' : it.failedProbes === it.probes ? 'all failed' : whole.format(it.failedProbes) + ' failed');
}

function byText(it) { return it.by ? 'by ' + it.by : ''; }

/** How it stands, and how long the whole of it took. */
function latestText(it) {
  var state = it.to === 'CLOSED' ? 'recovered' : STATES[it.to][0].toLowerCase();
  return moment(it.at) + ' ' + state + ': ' + reasonText(it.reason) + (it.by ? ' ' + byText(it) : '')
    + (it.opening && it.to === 'CLOSED' ? ', after ' + seconds(Math.round((Date.parse(it.at) - Date.parse(it.since)) / 1000)) : '');
}

function List(id, empty, itemOf, textOf) {
  this.place = byId(id + '-body');
  this.count = byId(id + '-count');
  this.id = id;
  this.empty = empty;
  this.itemOf = itemOf;
  this.textOf = textOf;
  this.items = [];
  this.all = false;
  var self = this;
  this.more = make('button', { type: 'button', class: 'more' });
  this.holder = make('div');
  this.list = make('ul', { class: 'list', role: 'list', 'aria-labelledby': id + '-heading' });
  this.place.replaceChildren(this.holder, this.more);
  this.more.addEventListener('click', function () { self.all = !self.all; self.filter(); });
  this.update([]);
}

/** What is the same as before stays where it is in the page. */
List.prototype.update = function (entries) {
  var known = new Map(this.items.map(function (item) { return [item.json, item]; }));
  this.items = entries.map(function (entry) {
    var json = JSON.stringify(entry);
    return known.get(json) || { json: json, element: this.itemOf(entry), text: this.textOf(entry) };
  }, this);
  if (entries.length === 0) this.holder.replaceChildren(make('p', { class: 'none' }, [this.empty]));
  else if (this.holder.firstChild !== this.list) this.holder.replaceChildren(this.list);
  var kept = new Set(this.items.map(function (item) { return item.element; }));
  Array.from(this.list.children).forEach(function (element) { if (!kept.has(element)) element.remove(); });
  inOrder(this.list, this.items);
  this.filter();
};

List.prototype.filter = function () {
  var found = this.items.filter(function (item) { return matches(item.text); });
  var shown = new Set(found.slice(0, this.all ? found.length : SHOWN));
  this.items.forEach(function (item) { item.element.hidden = !shown.has(item); });
  this.more.hidden = found.length <= SHOWN;
  setText(this.more, this.all ? 'Show fewer' : 'Show all ' + found.length);
  setText(this.count, this.items.length || '');
};

var transitions = new List('transitions', 'No circuit breaker has changed its state.', function (it) {
  var states = make('div', { class: 'line' }, [badge(it.from)]);
  var passed = it.opening && it.to !== 'OPEN' ? ['OPEN', it.to] : [it.to];
  passed.forEach(function (state) {
    states.append(make('span', { class: 'arrow', 'aria-label': 'to', role: 'img' }, ['→']), badge(state));
  });
  states.append(make('span', { class: 'sub' }, [it.opening ? openingText(it.opening) : reasonText(it.reason)]));
  var heading = make('div', { class: 'line' }, [make('span', { class: 'name' }, [it.breaker]), time(it.since, it.opening ? 'since ' : '')]);
  var item = make('li', {}, [heading, states]);
  if (it.opening && it.opening.error) item.append(make('p', { class: 'message' }, [failureText(it.opening.error)]));
  var since = [
    it.reopened ? 'opened again ' + times(it.reopened) + (it.latest ? ', by ' + failureText(it.latest) : '') : '',
    it.probes ? probesText(it) : '',
    it.rejected ? counted(it.rejected, 'call') + ' rejected meanwhile' : '',
    it.at === it.since ? byText(it) : latestText(it)
  ].filter(Boolean);
  since.forEach(function (text) { item.append(make('span', { class: 'sub clamp' }, [text])); });
  return item;
}, function (it) { return it.breaker; });
`;

export const errors = `
var errors = new List('errors', 'No error so far.', function (it) {
  var hidden = it.handled === 0 ? '' : it.handled === it.count ? 'hidden from the caller' : it.handled + ' hidden from the caller';
  var line = make('div', { class: 'line' }, [make('span', { class: 'name' }, [it.type])]);
  if (it.count > 1) line.append(make('span', { class: 'times' }, ['× ' + it.count]));
  if (it.chaos) line.append(make('span', { class: 'times' }, ['chaos']));
  line.append(time(it.at));
  var facts = [it.operation, it.upstream ? 'calls ' + it.upstream : '', hidden].filter(Boolean).join(' · ');
  var item = make('li', {}, [line, make('p', { class: 'message' }, [it.message])]);
  if (it.cause) item.append(make('p', { class: 'message cause' }, ['caused by ' + it.cause.type + ': ' + it.cause.message]));
  item.append(make('span', { class: 'sub' }, [facts]));
  return item;
}, function (it) { return it.type + ' ' + it.message + ' ' + (it.cause ? it.cause.type + ' ' + it.cause.message + ' ' : '') + it.operation + ' ' + (it.upstream || ''); });
`;

/** Nobody hunts a ghost: a banner, for as long as anything is injected. */
export const chaos = `
var LATENCY = 'latency';

function latencyText(ms) { return [].concat(ms).map(duration).join(' to '); }

function chaosText(it) {
  var what = it.effect === LATENCY ? LATENCY + ' ' + latencyText(it.latencyMs)
    : it.effect + (it.latencyMs === undefined ? '' : ' after ' + latencyText(it.latencyMs));
  return what + ' at ' + percent(it.rate * 100) + ' of the attempts of '
    + [it.operations || 'whatever', it.upstream ? 'that calls ' + it.upstream : ''].filter(Boolean).join(' ')
    + ' · ' + whole.format(it.injected) + ' injected' + (it.endsAt ? ' · until ' + moment(it.endsAt) : '');
}

var chaosEnd = { action: 'stop', title: 'Stop', text: 'Nothing is injected any more. What hangs already goes on until its timeout.' };
var chaosButton = make('button', { type: 'button' }, ['Stop the chaos']);
chaosButton.addEventListener('click', function () { askAndSend(chaosEnd, 'the chaos', '/chaos/stop'); });
if (document.documentElement.dataset.controls === 'true') byId('chaos').append(chaosButton);

var chaosRules = [];
var chaosElsewhere = []; // other instances

function showChaos() {
  var items = chaosRules.map(function (it) {
    return make('li', {}, [make('span', { class: 'name' }, [it.id]), make('span', { class: 'sub' }, [chaosText(it)])]);
  });
  if (chaosElsewhere.length > 0) items.push(make('li', {}, [make('span', { class: 'name' }, ['In other instances']),
    make('span', { class: 'sub' }, [chaosElsewhere.map(function (it) { return it.id; }).join(', ')])]));
  byId('chaos').hidden = items.length === 0;
  byId('chaos-body').replaceChildren.apply(byId('chaos-body'), items);
}

function updateChaos(rules) {
  chaosRules = rules;
  showChaos();
}
`;
