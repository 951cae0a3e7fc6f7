/** The options of an operation that somebody chooses, which are asked for then; and what was changed at run time. */
export const configuration = `
var chosen = byId('configuration-of');
var configured = new Map(); // by operation, as they were asked for last
var FROM = { 'default': 'default', defaults: 'defaults of the module', module: 'module', decorator: 'decorator', override: 'override', 'run time': 'run time' };

function optionText(value) {
  if (value === undefined || value === null) return '–';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.map(optionText).join(', ') || 'none';
  return Object.keys(value).map(function (key) { return key + ': ' + optionText(value[key]); }).join(', ');
}

var settings = new Table('configuration', 'Configuration', [
  { title: 'Option', build: nameCell, value: function (row) { return row.name; },
    show: function (cell, row) { showName(cell, row.option, words(row.stage)); } },
  { title: 'Value', show: function (cell, row) { setText(cell, optionText(row.value)); } },
  { title: 'From', class: 'short', value: function (row) { return Object.keys(FROM).indexOf(row.origin); },
    show: function (cell, row) { setText(cell, FROM[row.origin] || '–'); setClass(cell, 'bad', row.origin === 'run time'); } }
], 0, 'Choose an operation to see its options, and where each of them comes from.', function (row) { return row.name; });
settings.sorted.descending = false;
settings.markSorted();

function optionRows(it) {
  var rows = [];
  Object.keys(it.stages).forEach(function (stage) {
    Object.keys(it.stages[stage]).forEach(function (option) {
      rows.push({ name: stage + '.' + option, stage: stage, option: option, value: it.stages[stage][option],
        origin: ((it.origins || {})[stage] || {})[option] });
    });
  });
  return rows;
}

function showConfiguration() {
  var it = configured.get(chosen.value);
  settings.take({ whole: true, options: it ? optionRows(it) : [] }, 'options');
  if (it && settings.rows.size === 0) settings.place.replaceChildren(make('p', { class: 'none' }, ['It has no options: it is observed only.']));
}

function askConfiguration() {
  if (chosen.value === '') return showConfiguration();
  fetch(base + '/api/configuration', { credentials: 'same-origin' })
    .then(function (response) { if (!response.ok) throw new Error('the application answered ' + response.status); return response.json(); })
    .then(function (answer) {
      configured = new Map(answer.operations.map(function (it) { return [it.operation, it]; }));
      showConfiguration();
    })
    .catch(function (error) { settings.place.replaceChildren(make('p', { class: 'none' }, ['The options are not known: ' + error.message + '.'])); });
}

chosen.addEventListener('change', askConfiguration);

/** Those that there are, in their order; what was chosen stays so. */
function offerOperations() {
  var names = Array.from(operations.rows.keys()).sort();
  var offered = Array.from(chosen.options).slice(1).map(function (option) { return option.value; });
  if (names.join('\\n') === offered.join('\\n')) return;
  var was = chosen.value;
  chosen.replaceChildren.apply(chosen, [chosen.options[0]].concat(names.map(function (name) { return make('option', { value: name }, [name]); })));
  chosen.value = operations.rows.has(was) ? was : '';
}

var actions = new List('actions', 'Nothing was changed at run time.', function (it) {
  var item = make('li', {}, [make('div', { class: 'line' }, [make('span', { class: 'name' }, [it.by || 'Somebody']), time(it.at)])]);
  it.changes.forEach(function (change) {
    item.append(make('p', { class: 'message' }, [change.place + ': ' + optionText(change.from) + ' → ' + optionText(change.to)]));
  });
  if (it.others) item.append(make('span', { class: 'sub' }, ['and ' + counted(it.others, 'other option')]));
  return item;
}, function (it) { return (it.by || '') + ' ' + it.changes.map(function (change) { return change.place; }).join(' '); });

function updateActions(list) {
  actions.update(list);
  if (chosen.value !== '') askConfiguration();
}
`;
