/** What would be better otherwise, and why; a button copies the overrides by which it is followed. */
export const advisor = `
/** The clipboard is only there where the page is loaded by HTTPS, or from this machine. */
function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  var field = make('textarea', { class: 'unseen', 'aria-hidden': 'true' });
  field.value = text;
  document.body.append(field);
  field.select();
  var isDone = document.execCommand('copy');
  field.remove();
  return isDone ? Promise.resolve() : Promise.reject(new Error('the browser does not allow it'));
}

function copyButton(title, label, overrides) {
  var button = make('button', { type: 'button', 'aria-label': label }, [title]);
  button.addEventListener('click', function () {
    copyText(JSON.stringify(overrides(), null, 2)).then(function () {
      setText(announcer, 'Copied the overrides');
      setText(button, 'Copied');
      setTimeout(function () { setText(button, title); }, 2000);
    }, function (error) { ask('It was not copied', error.message + '.', 'Close', function () {}); });
  });
  return button;
}

var hundredth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
function valueText(value) {
  if (value === undefined) return '–';
  return typeof value === 'number' ? hundredth.format(value) : String(value);
}

function mergeInto(target, source) {
  Object.keys(source).forEach(function (key) {
    var isBoth = target[key] instanceof Object && source[key] instanceof Object;
    if (isBoth) mergeInto(target[key], source[key]);
    else target[key] = structuredClone(source[key]);
  });
  return target;
}

var advice = new Table('advice', 'Advice', [
  { title: 'Operation', build: nameCell, value: function (row) { return row.operation; },
    show: function (cell, row) { showName(cell, row.operation, row.option); } },
  { title: 'Now', class: 'number', show: function (cell, row) { setText(cell, valueText(row.current)); } },
  { title: 'Proposed', class: 'number', show: function (cell, row) { setText(cell, valueText(row.proposed)); } },
  { title: 'Why', class: 'wide', show: function (cell, row) { setText(cell, row.because); } },
  { title: 'Follow', class: 'bare wide',
    build: function (cell, row) {
      var name = row.name;
      var button = copyButton('Copy', 'Copy the overrides of ' + name, function () { return advice.rows.get(name).row.overrides; });
      cell.append(make('div', { class: 'buttons' }, [button]));
    },
    show: function (cell, row) { cell.querySelector('button').hidden = Object.keys(row.overrides).length === 0; } }
], 0, 'There is nothing to advise: all is well, or too little was seen yet.', function (row) { return row.name; });
advice.sorted.descending = false;
advice.markSorted();

var copyAll = copyButton('Copy all', 'Copy the overrides of all advice', function () {
  return Array.from(advice.rows.values()).reduce(function (all, known) { return mergeInto(all, known.row.overrides); }, {});
});
byId('advice').querySelector('.head').append(copyAll);
copyAll.hidden = true;

function updateAdvice(rows) {
  var names = rows.map(function (row) { return row.name; });
  advice.remove(Array.from(advice.rows.keys()).filter(function (name) { return names.indexOf(name) < 0; }));
  advice.update(rows);
  copyAll.hidden = !rows.some(function (row) { return Object.keys(row.overrides).length > 0; });
}
`;
