/** The lists, which are small and are made anew when they change. */
export const transitions = `
var REASONS = {
  'failure-threshold': 'too many failures', 'failure-rate': 'failure rate', 'slow-call-rate': 'too many slow calls',
  'open-time-passed': 'time for a probe', 'probe-failed': 'the probe failed', 'probes-succeeded': 'the probes succeeded',
  'forced-open': 'forced open', 'disabled': 'disabled', 'reset': 'closed by hand'
};

function List(id, empty, itemOf, textOf) {
  this.place = byId(id + '-body');
  this.count = byId(id + '-count');
  this.id = id;
  this.empty = empty;
  this.itemOf = itemOf;
  this.textOf = textOf;
  this.items = [];
  this.update([]);
}

List.prototype.update = function (entries) {
  this.items = entries.map(function (entry) {
    return { element: this.itemOf(entry), text: this.textOf(entry) };
  }, this);
  this.place.replaceChildren(entries.length === 0
    ? make('p', { class: 'none' }, [this.empty])
    : make('ul', { class: 'list', role: 'list', 'aria-labelledby': this.id + '-heading' },
      this.items.map(function (item) { return item.element; })));
  this.filter();
};

List.prototype.filter = function () {
  this.items.forEach(function (item) { item.element.hidden = !matches(item.text); });
  setText(this.count, this.items.length || '');
};

var transitions = new List('transitions', 'No circuit breaker has changed its state.', function (it) {
  return make('li', {}, [
    make('div', { class: 'line' }, [make('span', { class: 'name' }, [it.breaker]), time(it.at)]),
    make('div', { class: 'line' }, [
      badge(it.from), make('span', { class: 'arrow', 'aria-label': 'to', role: 'img' }, ['→']), badge(it.to),
      make('span', { class: 'sub' }, [REASONS[it.reason] || it.reason])
    ])
  ]);
}, function (it) { return it.breaker; });
`;

export const errors = `
var errors = new List('errors', 'No error so far.', function (it) {
  var hidden = it.handled === 0 ? '' : it.handled === it.count ? 'hidden from the caller' : it.handled + ' hidden from the caller';
  var line = make('div', { class: 'line' }, [make('span', { class: 'name' }, [it.type])]);
  if (it.count > 1) line.append(make('span', { class: 'times' }, ['× ' + it.count]));
  line.append(time(it.at));
  var facts = [it.operation, it.upstream ? 'calls ' + it.upstream : '', hidden].filter(Boolean).join(' · ');
  return make('li', {}, [line, make('p', { class: 'message' }, [it.message]), make('span', { class: 'sub' }, [facts])]);
}, function (it) { return it.type + ' ' + it.message + ' ' + it.operation + ' ' + (it.upstream || ''); });
`;
