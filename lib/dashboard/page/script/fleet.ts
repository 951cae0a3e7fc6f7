/** All instances beside each other: who they are, and how each policy is in each of them. */
export const fleet = `
var hasFleet = document.documentElement.dataset.fleet === 'true';
var policies; // the table, which has a column for each instance
var instances = [];
var wasUp = true;

/** What there is of policies that are no breakers. */
var LEVELS = { up: ['Up', '●'], degraded: ['Degraded', '▲'], down: ['Down', '■'] };
var WORSE = { up: 0, degraded: 2, down: 4 };
/** With more than that a state is no more than its sign. */
var ROOMY = 6;

/** [state, status] of a breaker or of something else: a word, a sign, a colour's name, how bad it is. */
function cellState(it) {
  var breaker = STATES[it[0]];
  if (breaker) return { word: breaker[0], sign: breaker[1], colour: it[0], worse: SEVERITY[it[0]] };
  var level = LEVELS[it[1]];
  return { word: it[0] === it[1] ? level[0] : it[0], sum: level[0], sign: level[1], colour: it[1], worse: WORSE[it[1]] };
}

function worstOf(row) {
  return row.cells.filter(Boolean).map(cellState).reduce(function (worst, it) {
    return worst === undefined || it.worse > worst.worse ? it : worst;
  }, undefined);
}

function showSum(cell, row) {
  var worst = worstOf(row);
  var all = row.cells.filter(Boolean).map(cellState);
  var same = all.filter(function (it) { return it.colour === worst.colour; }).length;
  setAttribute(cell.firstChild, 'data-state', worst.colour);
  setText(cell.firstChild, worst.sign + ' ' + (worst.sum || worst.word));
  setText(cell.lastChild, same === all.length ? 'all ' + same : same + ' of ' + all.length);
}

function instanceColumn(instance, index) {
  return { title: String(index + 1), class: 'state',
    build: function (cell) {
      cell.append(make('span', { class: 'badge' }, [make('span', { 'aria-hidden': 'true' }), make('span', { class: 'word' })]));
    },
    show: function (cell, row) {
      var it = row.cells[index] ? cellState(row.cells[index]) : { word: 'not there', sign: '–', colour: 'none' };
      setAttribute(cell.firstChild, 'data-state', it.colour);
      setAttribute(cell.firstChild, 'title', instance.id + ': ' + it.word);
      setText(cell.firstChild.firstChild, it.sign);
      setText(cell.firstChild.lastChild, ' ' + it.word);
      setClass(cell, 'lost', Boolean(instance.lost));
    } };
}

function makePolicies() {
  var known = policies ? Array.from(policies.rows.values()).map(function (it) { return it.row; }) : [];
  var columns = [
    { title: 'Policy', build: nameCell, value: function (row) { return row.title; },
      show: function (cell, row) { showName(cell, row.title, words(row.section)); } },
    { title: 'State', class: 'short', value: function (row) { return worstOf(row).worse; },
      build: function (cell) { cell.append(make('span', { class: 'badge' }), make('span', { class: 'sub' })); }, show: showSum }
  ].concat(instances.map(instanceColumn));
  policies = new Table('fleet', 'Fleet', columns, 1, 'There is no policy.', function (row) { return row.title + ' ' + words(row.section); });
  instances.forEach(function (it, index) {
    var head = policies.heads[index + 2];
    head.replaceChildren(String(index + 1), make('span', { class: 'unseen' }, [' ' + it.id]));
    head.title = it.id;
    setClass(head, 'lost', Boolean(it.lost));
  });
  setAttribute(byId('fleet'), 'data-roomy', instances.length <= ROOMY);
  policies.update(known);
}

function instanceItem(it, index) {
  var facts = [it.version ? 'version ' + it.version : '', 'nestjs-bulwark ' + it.library, 'since ' + moment(it.since)];
  var signs = [it.here ? 'this instance' : '', it.chaos ? 'chaos' : '', it.lost ? 'not heard of any more' : ''].filter(Boolean);
  var line = make('div', { class: 'line' }, [make('span', { class: 'place' }, [String(index + 1)]), make('span', { class: 'name' }, [it.id])]);
  signs.forEach(function (sign) { line.append(make('span', { class: sign === 'this instance' ? 'sign' : 'times' }, [sign])); });
  return make('li', it.lost ? { class: 'lost' } : {}, [line, make('span', { class: 'sub' }, [facts.filter(Boolean).join(' · ')])]);
}

function sameInstances(list) {
  return list.length === instances.length && list.every(function (it, index) {
    return it.id === instances[index].id && it.lost === instances[index].lost;
  });
}

function updateFleet(frame) {
  if (!hasFleet) return;
  if (frame.fleet) {
    var it = frame.fleet;
    setText(byId('fleet-link'), it.up ? it.size + (it.size === 1 ? ' instance is' : ' instances are') + ' there'
      : 'The other instances are not reached at the moment, and calls go on without');
    setClass(byId('fleet-link'), 'bad', !it.up);
    if (it.up !== wasUp) setText(announcer, it.up ? 'The other instances are reached again' : 'The other instances are not reached');
    wasUp = it.up;
    var isSame = sameInstances(it.instances);
    instances = it.instances;
    byId('fleet-instances').replaceChildren.apply(byId('fleet-instances'), instances.map(instanceItem));
    if (!isSame || policies === undefined) makePolicies();
    chaosElsewhere = instances.filter(function (other) { return other.chaos && !other.here && !other.lost; });
    showChaos();
  }
  if (policies !== undefined) policies.take(frame, 'policies');
}
`;
