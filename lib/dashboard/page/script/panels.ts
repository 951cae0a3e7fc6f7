/**
 * Panels that are made when their first rows come: of stages that have no table of their own, with a column for
 * each value of their snapshots where nothing better is known, and of whatever else there is.
 */
export const panels = `
var panels = new Map();

function words(name) { return name.replace(/[A-Z]/g, function (letter) { return ' ' + letter.toLowerCase(); }); }
function title(name) { return name.charAt(0).toUpperCase() + words(name).slice(1); }

/** A number of the row; one that is not there is a dash. */
function count(title, key, isBad) {
  return { title: title, class: 'number', value: function (row) { return row[key] === undefined ? -1 : row[key]; },
    show: function (cell, row) {
      setText(cell, row[key] === undefined ? '–' : whole.format(row[key]));
      setClass(cell, 'bad', Boolean(isBad && row[key] > 0));
      setClass(cell, 'zero', !row[key]);
    } };
}

function valueColumn(key) {
  return { title: title(key), class: 'number', value: function (row) { return row[key]; },
    show: function (cell, row) { setText(cell, typeof row[key] === 'number' ? number(row[key]) : row[key] === undefined ? '–' : row[key]); } };
}

function statusColumn() {
  return { title: 'Status', value: function (row) { return ['up', 'degraded', 'down'].indexOf(row.status); },
    show: function (cell, row) { setText(cell, row.status); setClass(cell, 'bad', row.status !== 'up'); } };
}

function rowName(title, subOf) {
  return { title: title, build: nameCell, value: function (row) { return row.name; },
    show: function (cell, row) { showName(cell, row.title || row.name, subOf(row)); } };
}

/** How much is left; where that is least comes first. */
function share(title, textOf, partOf) {
  return { title: title, class: 'number', value: function (row) { return -partOf(row); },
    build: function (cell) { cell.append(make('span'), make('div', { class: 'bar', 'aria-hidden': 'true' }, [make('span')])); },
    show: function (cell, row) {
      var part = partOf(row);
      setText(cell.firstChild, textOf(row));
      cell.lastChild.firstChild.style.width = Math.max(0, Math.min(1, part)) * 100 + '%';
      setAttribute(cell.lastChild, 'data-full', part <= 0);
      setClass(cell.firstChild, 'bad', part <= 0);
    } };
}

function left(row) { return Math.max(0, row.allowed - row.spent); }

function shed(row) {
  return Object.keys(row.rejected).filter(function (it) { return row.rejected[it] > 0; })
    .map(function (it) { return it + ' ' + whole.format(row.rejected[it]); }).join(', ') || 'nothing so far';
}

/** What is known of some: a heading, what it says beside, and its columns. */
var KNOWN = {
  'stage:rateLimits': { title: 'Rate limits', note: 'now', columns: function () { return [
    rowName('Rate limit', function (row) { return [modeText(row), row.keys === undefined ? '' : row.keys + ' keys'].filter(Boolean).join(' · '); }),
    share('Available', function (row) { return row.limit === undefined ? '–' : number(Math.max(0, Math.floor(row.available))) + ' of ' + whole.format(row.limit); },
      function (row) { return row.limit ? row.available / row.limit : 1; }),
    count('Queued', 'queued'),
    { title: 'Paused', class: 'number', value: function (row) { return row.pausedMs || 0; },
      show: function (cell, row) {
        setText(cell, row.pausedMs > 0 ? duration(row.pausedMs) : row.pausedKeys > 0 ? row.pausedKeys + ' keys' : '–');
        setClass(cell, 'bad', row.pausedMs > 0 || row.pausedKeys > 0);
      } },
    count('Rejected', 'rejected', true)
  ]; } },
  'panel:retryBudgets': { title: 'Retry budgets', note: 'over each one’s window', columns: function () { return [
    rowName('Budget', function (row) { return row.keys === undefined ? '' : 'the fullest of ' + row.keys + ' keys'; }),
    share('Left', function (row) { return whole.format(left(row)) + ' of ' + whole.format(row.allowed); },
      function (row) { return row.allowed > 0 ? left(row) / row.allowed : 0; }),
    count('Spent', 'spent'), count('Refused', 'refused', true)
  ]; } },
  'panel:helped': { title: 'Hedges and shared answers', note: 'since the start', columns: function () { return [
    rowName('Operation', function () { return ''; }),
    count('Hedges', 'hedges'), count('Won', 'won'), count('Coalesced', 'joined'),
    { title: 'Last good', class: 'number', value: function (row) { return row.lastGood === undefined ? -1 : row.lastGood; },
      build: function (cell) { cell.append(make('span'), make('span', { class: 'sub' })); },
      show: function (cell, row) {
        setText(cell.firstChild, row.lastGood === undefined ? '–' : whole.format(row.lastGood));
        setText(cell.lastChild, row.ageMs === undefined ? '' : 'lately ' + duration(row.ageMs) + ' old');
        setClass(cell, 'zero', !row.lastGood);
      } }
  ]; } },
  'panel:shedding': { title: 'Shedding', note: 'of requests, by the whole server', columns: function () { return [
    rowName('Where', function () { return ''; }),
    { title: 'In flight', class: 'number', show: function (cell, row) {
      setText(cell, whole.format(row.inFlight) + (row.limit > 0 ? ' of ' + whole.format(row.limit) : ''));
      setClass(cell, 'bad', row.limit > 0 && row.inFlight >= row.limit);
    } },
    { title: 'Event loop', class: 'number', show: function (cell, row) { setText(cell, duration(row.eventLoopDelayMs) + ' late'); } },
    { title: 'Refused', show: function (cell, row) { setText(cell, shed(row)); } }
  ]; } },
  'panel:shadow': { title: 'Shadow mode', note: 'what would have been done, since the start', columns: function () { return [
    rowName('Policy', function (row) { return words(row.stage); }),
    count('Would reject', 'reject'), count('Would time out', 'timeOut'), count('Would open', 'open')
  ]; } }
};

/** Of a stage that the page does not know. */
function generic(member, rows) {
  var keys = [];
  rows.forEach(function (row) {
    Object.keys(row).forEach(function (it) { if (['name', 'status', 'oneOf'].concat(keys).indexOf(it) < 0) keys.push(it); });
  });
  var columns = [rowName('Name', function () { return ''; }), statusColumn()].concat(keys.map(valueColumn));
  return { title: title(member.slice(member.indexOf(':') + 1)), note: 'now', columns: function () { return columns; } };
}

function panelTable(member, rows) {
  var id = member.replace(':', '-');
  var known = KNOWN[member] || generic(member, rows);
  var heading = make('div', { class: 'head' }, [make('h2', { id: id + '-heading' }, [known.title]), make('p', {}, [known.note]),
    make('p', { class: 'count', id: id + '-count' })]);
  var body = make('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-labelledby': id + '-heading', id: id + '-body' });
  byId('configuration').before(make('section', { class: KNOWN[member] ? 'panel half' : 'panel', id: id, 'aria-labelledby': id + '-heading' }, [heading, body]));
  var columns = known.columns();
  return new Table(id, known.title, columns, columns[1].value ? 1 : 0, '', function (row) { return (row.title || '') + ' ' + row.name; });
}

function updatePanels(frame) {
  Object.keys(frame).forEach(function (member) {
    if (!/^(stage|panel):/.test(member) || frame[member].length === 0) return;
    if (!panels.has(member)) panels.set(member, panelTable(member, frame[member]));
  });
  panels.forEach(function (table, member) {
    table.take(frame, member);
    var section = table.place.parentNode;
    if (section.hidden !== (table.rows.size === 0)) section.hidden = table.rows.size === 0;
  });
}
`;
