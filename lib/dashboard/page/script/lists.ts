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
  this.place.replaceChildren(this.holder, this.more);
  this.more.addEventListener('click', function () { self.all = !self.all; self.filter(); });
  this.update([]);
}

List.prototype.update = function (entries) {
  this.items = entries.map(function (entry) {
    return { element: this.itemOf(entry), text: this.textOf(entry) };
  }, this);
  if (entries.length === 0) this.holder.replaceChildren(make('p', { class: 'none' }, [this.empty]));
  else this.holder.replaceChildren(make('ul', { class: 'list', role: 'list', 'aria-labelledby': this.id + '-heading' },
    this.items.map(function (item) { return item.element; })));
  this.filter();
};

List.prototype.filter = function () {
  var found = this.items.filter(function (item) { return matches(item.text); });
  this.items.forEach(function (item) { item.element.hidden = true; });
  found.slice(0, this.all ? found.length : SHOWN).forEach(function (item) { item.element.hidden = false; });
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
    it.reopened ? 'opened again ' + (it.reopened === 1 ? 'once' : whole.format(it.reopened) + ' times') + (it.latest ? ', by ' + failureText(it.latest) : '') : '',
    it.at === it.since ? '' : moment(it.at) + ' ' + STATES[it.to][0].toLowerCase() + ': ' + reasonText(it.reason)
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
