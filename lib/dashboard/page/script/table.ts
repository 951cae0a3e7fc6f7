/**
 * A table whose rows stay where they are in memory: a frame changes the cells that are different. A
 * column is `{ title, show(cell, row), value(row)?, class? }`; `value` makes it sortable.
 */
export const table = `
function Table(id, title, columns, sorted, empty, textOf) {
  this.id = id;
  this.columns = columns;
  this.sorted = { column: sorted, descending: true };
  this.empty = empty;
  this.textOf = textOf;
  this.rows = new Map();
  this.body = make('tbody', { role: 'rowgroup' });
  var heads = columns.map(this.head, this);
  // The roles say what the phone's layout would take away from the elements.
  this.element = make('table', { role: 'table', 'aria-labelledby': id + '-heading' }, [
    make('thead', { role: 'rowgroup' }, [make('tr', { role: 'row' }, heads)]), this.body]);
  this.heads = heads;
  this.count = byId(id + '-count');
  this.place = byId(id + '-body');
  this.markSorted();
  this.place.replaceChildren(make('p', { class: 'none' }, [empty]));
}

Table.prototype.head = function (column, index) {
  var self = this;
  var head = make('th', { scope: 'col', role: 'columnheader' });
  if (column.class) head.className = column.class;
  if (!column.value) {
    head.append(column.title);
    return head;
  }
  var button = make('button', { type: 'button', title: 'Sort by ' + column.title }, [column.title]);
  button.addEventListener('click', function () {
    var same = self.sorted.column === index;
    self.sorted = { column: index, descending: same ? !self.sorted.descending : index !== 0 };
    self.markSorted();
    self.arrange(true);
  });
  head.append(button);
  return head;
};

Table.prototype.markSorted = function () {
  var sorted = this.sorted;
  this.heads.forEach(function (head, index) {
    if (index === sorted.column) head.setAttribute('aria-sort', sorted.descending ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  });
};

Table.prototype.remove = function (names) {
  names.forEach(function (name) {
    var known = this.rows.get(name);
    if (known === undefined) return;
    known.element.remove();
    this.rows.delete(name);
  }, this);
  if (this.rows.size === 0) this.place.replaceChildren(make('p', { class: 'none' }, [this.empty]));
  this.filter();
};

/** What a frame says of the table: a whole one has all rows that there are. */
Table.prototype.take = function (frame, member) {
  var rows = frame[member] || [];
  var names = rows.map(function (row) { return row.name; });
  var gone = frame.whole ? Array.from(this.rows.keys()).filter(function (name) { return names.indexOf(name) < 0; }) : (frame.gone || {})[member] || [];
  if (gone.length > 0) this.remove(gone);
  this.update(rows);
};

Table.prototype.update = function (rows) {
  if (rows.length === 0) return;
  if (this.rows.size === 0) this.place.replaceChildren(this.element);
  rows.forEach(function (row) {
    var known = this.rows.get(row.name) || this.add(row);
    known.row = row;
    known.text = this.textOf(row);
    this.columns.forEach(function (column, index) { column.show(known.cells[index], row); });
  }, this);
  this.arrange(false);
  this.filter();
};

Table.prototype.add = function (row) {
  var cells = this.columns.map(function (column, index) {
    var cell = index === 0
      ? make('th', { scope: 'row', role: 'rowheader' })
      : make('td', { role: 'cell', 'data-label': column.title });
    if (column.class) cell.className = column.class;
    if (column.build) column.build(cell, row);
    return cell;
  });
  var known = { row: row, cells: cells, element: make('tr', { role: 'row' }, cells), text: '' };
  this.rows.set(row.name, known);
  this.body.append(known.element);
  return known;
};

/** Rows do not move under somebody's finger, pointer or focus, unless it is asked for. */
Table.prototype.arrange = function (asked) {
  if (!asked && (this.body.matches(':hover') || this.body.contains(document.activeElement))) return;
  var value = this.columns[this.sorted.column].value;
  var sign = this.sorted.descending ? -1 : 1;
  var ordered = Array.from(this.rows.values()).sort(function (a, b) {
    var x = value(a.row), y = value(b.row);
    return x === y ? a.row.name.localeCompare(b.row.name) : (x < y ? -sign : sign);
  });
  inOrder(this.body, ordered);
};

Table.prototype.filter = function () {
  var shown = 0;
  this.rows.forEach(function (known) {
    var visible = matches(known.text);
    if (visible) shown++;
    if (known.element.hidden === visible) known.element.hidden = !visible;
  });
  setText(this.count, shown === this.rows.size ? shown : shown + ' of ' + this.rows.size);
};

function nameCell(cell) {
  cell.append(make('span', { class: 'name' }), make('span', { class: 'sub' }));
}

function showName(cell, name, sub) {
  setText(cell.firstChild, name);
  setText(cell.lastChild, sub);
}
`;
