/** The tables: what each column shows, and by what it sorts. */
export const operations = `
/** Marks what does not act. */
function modeText(row) { return row.mode === 'shadow' ? 'in shadow mode' : ''; }

function figure(title, value, format, isBad) {
  return { title: title, class: 'number', value: value, show: function (cell, row) {
    var amount = value(row);
    setText(cell, row.calls === 0 && amount === 0 ? '–' : format(amount));
    setClass(cell, 'bad', Boolean(isBad && isBad(amount)));
    setClass(cell, 'zero', amount === 0);
  } };
}

function latency(name) {
  return { title: name, class: 'number',
    value: function (row) { return row[name] === undefined ? -1 : row[name]; },
    show: function (cell, row) { setText(cell, duration(row[name])); setClass(cell, 'zero', row[name] === undefined); } };
}

/** Drawn by itself. */
function trend(title, kind) {
  return { title: title, class: 'trend', build: function (cell, row) { cell.append(makeSpark(row.name, kind)); }, show: function () {} };
}

function details(row) {
  return [
    row.critical === true ? 'critical' : row.critical === false ? 'nice to have' : '',
    row.upstream ? 'calls ' + row.upstream : '',
    (row.shares || []).join(' · ')
  ].filter(Boolean).join(' · ');
}

var operations = new Table('operations', 'Operations', [
  { title: 'Operation', build: nameCell, value: function (row) { return row.name; },
    show: function (cell, row) { showName(cell, row.name, details(row)); } },
  figure('Calls/s', function (row) { return row.rate; }, rate),
  figure('Errors', function (row) { return row.errorRate; }, percent, function (value) { return value > 0; }),
  figure('Hidden', function (row) { return row.hiddenRate; }, percent),
  figure('Retries', function (row) { return row.retries; }, number),
  latency('p50'), latency('p95'), latency('p99'),
  trend('Calls, errors', 'calls'), trend('p99 trend', 'p99')
], 2, 'No operation is decorated yet, and none was called.', function (row) { return row.name + ' ' + details(row); });
operations.heads[3].firstChild.title = 'Calls answered by a fallback or a degradation. Sort by it';
`;

export const breakers = `
var ACTIONS = [
  { action: 'open', title: 'Force open', state: 'FORCED_OPEN', text: 'Every call through it is rejected until somebody closes it.' },
  { action: 'close', title: 'Close', state: 'CLOSED', text: 'Calls go through again, and its window starts empty.' },
  { action: 'disable', title: 'Disable', state: 'DISABLED', text: 'Every call goes through and none is counted, until somebody closes it.' }
];

function windowOf(row) {
  if (row.keys !== undefined) return 'all keys';
  return row.windowMs === undefined ? row.windowCalls + ' calls' : duration(row.windowMs);
}

/** Pressed in when it is so already; it stays focusable, for the keyboard not to lose its place. */
function buildButtons(cell, row) {
  cell.append(make('div', { class: 'buttons' }, ACTIONS.map(function (it) {
    var button = make('button', { type: 'button', 'aria-label': it.title + ' ' + row.name }, [it.title]);
    button.addEventListener('click', function () {
      if (button.getAttribute('aria-disabled') !== 'true') askAndSend(it, row.name);
    });
    return button;
  })));
}

function showButtons(cell, row) {
  ACTIONS.forEach(function (it, index) {
    setAttribute(cell.firstChild.children[index], 'aria-disabled', row.keys === undefined && row.state === it.state);
  });
}

/** While it is not closed: what opened it, and not its probes. */
function countsOf(row) { return row.opening || row; }

function next(row) {
  if (row.keys !== undefined) return '–';
  if (row.state === 'OPEN') return row.halfOpenInS > 0 ? 'in ' + seconds(row.halfOpenInS) : 'at the next call';
  if (row.state === 'HALF_OPEN') return 'probing now';
  return row.state === 'CLOSED' ? '–' : 'by hand';
}

var breakerColumns = [
  { title: 'Breaker', value: function (row) { return row.name; },
    build: function (cell) { nameCell(cell); cell.append(make('span', { class: 'sub clamp' }), make('span', { class: 'sub clamp' })); },
    show: function (cell, row) {
      setText(cell.children[0], row.name);
      setText(cell.children[1], row.mode === 'shadow' ? modeText(row) + (row.wouldBe ? ', would be ' + STATES[row.wouldBe][0].toLowerCase() : '') : row.keys !== undefined ? row.openKeys + ' of ' + row.keys + ' keys open' : row.openedAt && row.state !== 'CLOSED' ? 'since ' + moment(row.openedAt) : '');
      var first = row.opening && row.opening.error ? failureText(row.opening.error) : '';
      var latest = row.latest ? failureText(row.latest) : first;
      setText(cell.children[2], first);
      setText(cell.children[3], latest === first ? '' : 'lately ' + latest);
    } },
  { title: 'State', build: function (cell, row) { cell.append(badge(row.state)); },
    value: function (row) { return SEVERITY[row.state]; },
    show: function (cell, row) { showState(cell.firstChild, row.state); } },
  { title: 'Failures', class: 'right', value: function (row) { return countsOf(row).failureRate; },
    build: function (cell) { cell.append(make('span'), make('span', { class: 'sub' })); },
    show: function (cell, row) {
      var counts = countsOf(row);
      setText(cell.firstChild, counts.failures + ' of ' + counts.calls);
      setClass(cell.firstChild, 'bad', counts.failures > 0);
      setText(cell.lastChild, percent(counts.failureRate) + (row.slowCallRate === undefined || row.opening ? '' : ', slow ' + percent(row.slowCallRate))
        + (row.opening ? ' at opening' : ' · ' + windowOf(row)));
    } },
  { title: 'Next probe', class: 'short', show: function (cell, row) { setText(cell, next(row)); setClass(cell, 'zero', row.state === 'CLOSED'); } }
];
if (document.documentElement.dataset.controls === 'true')
  breakerColumns.push({ title: 'Control', class: 'wide bare', build: buildButtons, show: showButtons });
var breakers = new Table('breakers', 'Circuit breakers', breakerColumns, 1, 'There is no circuit breaker.',
  function (row) { return row.name; });
`;

export const bulkheads = `
function used(title, key, limit) {
  return { title: title, class: 'number', value: function (row) { return row[limit] ? row[key] / row[limit] : 0; },
    build: function (cell) {
      cell.append(make('span'), make('div', { class: 'bar', 'aria-hidden': 'true' }, [make('span')]));
    },
    show: function (cell, row) {
      var share = row[limit] ? Math.min(1, row[key] / row[limit]) : 0;
      setText(cell.firstChild, row[key] + ' of ' + row[limit]);
      cell.lastChild.firstChild.style.width = share * 100 + '%';
      setAttribute(cell.lastChild, 'data-full', share >= 1);
      setClass(cell.firstChild, 'bad', share >= 1);
    } };
}

var bulkheads = new Table('bulkheads', 'Bulkheads', [
  { title: 'Bulkhead', build: nameCell, value: function (row) { return row.name; },
    show: function (cell, row) { showName(cell, row.name, [modeText(row), row.rejected ? whole.format(row.rejected) + ' rejected so far' : ''].filter(Boolean).join(' · ')); } },
  used('Running', 'running', 'maxConcurrent'),
  used('Queued', 'queued', 'queueLimit'),
  { title: 'Limit', class: 'trend', build: function (cell) { cell.append(make('span', { class: 'zero' }, ['fixed'])); },
    show: function (cell, row) {
      if (limitPoints.has(row.name) && !cell.querySelector('svg')) cell.replaceChildren(makeSpark(row.name, 'limit'));
    } }
], 1, 'There is no bulkhead.', function (row) { return row.name; });
`;
