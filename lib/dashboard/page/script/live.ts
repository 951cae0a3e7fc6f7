/** The stream, what it changes, the numbers at the top, the filter, and the requests of the buttons. */
export const live = String.raw`
var base = location.pathname.replace(/\/+$/, '');
var connection = byId('connection');
var announcer = byId('announcer');
var heard; // the time of the newest transition that was announced

setText(byId('source'), document.documentElement.dataset.instance + ' · times in ' + zoneName());

function showConnection(state, text) {
  setAttribute(connection, 'data-state', state);
  setText(connection, text);
}

/** Only changes of state are read out, and only those that came while somebody listened. */
function announce(list) {
  var news = heard === undefined ? [] : list.filter(function (it) { return it.at > heard; });
  heard = list.reduce(function (latest, it) { return it.at > latest ? it.at : latest; }, heard || '');
  if (news.length > 3) setText(announcer, news.length + ' circuit breakers changed their state');
  else if (news.length > 0) setText(announcer, news.map(function (it) {
    return it.breaker + ' is now ' + STATES[it.to][0].toLowerCase() + ': ' + (REASONS[it.reason] || it.reason);
  }).join('. '));
}

var tiles = new Map();
function showTile(title, text, alarm, trend) {
  if (!tiles.has(title)) {
    var tile = make('div', { class: 'tile' }, [make('dt', {}, [title]), make('dd')]);
    if (trend) tile.append(make('dd', { class: 'drawn' }, [makeSpark(ALL, trend)]));
    tiles.set(title, tile);
    byId('tiles').append(tile);
  }
  setText(tiles.get(title).children[1], text);
  setAttribute(tiles.get(title), 'data-alarm', alarm);
}

function sum(table, of) {
  var total = 0;
  // Those of single keys are in the row of all keys already.
  table.rows.forEach(function (known) { if (known.row.oneOf === undefined) total += of(known.row); });
  return total;
}

function summarize() {
  var perSecond = sum(operations, function (row) { return row.rate; });
  var failing = sum(operations, function (row) { return row.calls * row.errorRate / 100; });
  var calls = sum(operations, function (row) { return row.calls; });
  var hidden = sum(operations, function (row) { return row.calls * row.hiddenRate / 100; });
  var open = sum(breakers, function (row) { return row.keys !== undefined ? row.openKeys : row.state === 'OPEN' || row.state === 'FORCED_OPEN' ? 1 : 0; });
  var all = sum(breakers, function (row) { return row.keys === undefined ? 1 : row.keys; });
  var queued = sum(bulkheads, function (row) { return row.queued; });
  showTile('Calls per second', rate(perSecond), false, 'rate');
  showTile('Errors', calls === 0 ? '–' : percent(failing / calls * 100), failing >= calls / 100 && failing > 0, 'seen');
  showTile('Hidden from callers', calls === 0 ? '–' : percent(hidden / calls * 100), false, 'hid');
  showTile('p99 of all', duration(latest((trendPoints.get(ALL) || []).map(SPARKS.p99[0].of))), false, 'p99');
  showTile('Retries in a minute', whole.format(sum(operations, function (row) { return row.retries; })), false);
  showTile('Breakers open', open + ' of ' + all, open > 0);
  showTile('Waiting in queues', whole.format(queued), false);
}

function receive(event) {
  var frame = JSON.parse(event.data);
  takeTrends(frame);
  operations.take(frame, 'operations');
  breakers.take(frame, 'breakers');
  bulkheads.take(frame, 'bulkheads');
  updatePanels(frame);
  updateFleet(frame);
  if (frame.chaos) updateChaos(frame.chaos);
  if (frame.advice) updateAdvice(frame.advice);
  if (frame.operations) offerOperations();
  if (frame.reconfigurations) updateActions(frame.reconfigurations);
  if (frame.errors) errors.update(frame.errors);
  if (frame.transitions) {
    transitions.update(frame.transitions);
    announce(frame.transitions);
  }
  summarize();
  document.documentElement.removeAttribute('data-waiting'); // from now on nothing means that there is none
  retryMs = SHORTEST_RETRY_MS;
  showConnection('live', 'Live');
}

byId('filter').addEventListener('input', function (event) {
  query = event.target.value.trim().toLowerCase();
  [operations, breakers, bulkheads, transitions, errors, settings, actions, advice].concat(policies || [], Array.from(panels.values())).forEach(function (each) { each.filter(); });
});

function ask(heading, text, action, then, where) {
  byId('confirm-scope').hidden = !where;
  var dialog = byId('confirm');
  setText(byId('confirm-heading'), heading);
  setText(byId('confirm-text'), text);
  setText(byId('confirm-yes'), action);
  byId('confirm-no').onclick = function () { dialog.close(); };
  byId('confirm-yes').onclick = function () { dialog.close(); then(); };
  dialog.showModal();
}

/** Opening a circuit by a slip of the finger would be an outage of our own making. */
function askAndSend(it, name, path) {
  var scopes = document.getElementsByName('scope');
  scopes[0].checked = true;
  ask(it.title + ' ' + name + '?', it.text, it.title, function () {
    send(it, name, path, scopes[1].checked ? 'fleet' : 'instance');
  }, hasFleet);
}

function send(it, name, path, scope) {
  var address = base + '/api' + (path || '/breakers/' + it.action) + '?' + new URLSearchParams({ name: name, scope: scope });
  fetch(address, { method: 'POST', headers: { 'x-resilience-control': '1' }, credentials: 'same-origin' })
    .then(function (response) { if (!response.ok) throw new Error('the application answered ' + response.status); })
    .catch(function (error) {
      ask(it.title + ' ' + name + ' failed', error.message + '.', 'Try again', function () { send(it, name, path, scope); });
    });
}

var SHORTEST_RETRY_MS = 1000;
var LONGEST_RETRY_MS = 30000;
var retryMs = SHORTEST_RETRY_MS;

/** A browser connects again by itself where a connection was lost, and not where it was refused. */
function connect() {
  var source = new EventSource(base + '/events');
  source.addEventListener('message', receive);
  source.addEventListener('displaced', function () {
    source.close();
    showConnection('lost', 'Too many are watching: somebody else has this place now. Reload the page');
  });
  source.addEventListener('error', function () {
    if (source.readyState !== EventSource.CLOSED) {
      showConnection('lost', 'Connection lost, trying again …');
      return;
    }
    showConnection('lost', 'Not let in, trying again in ' + retryMs / 1000 + ' s …');
    setTimeout(connect, retryMs);
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
  });
}
connect();
`;
