/** An entry that carries its own links, so that it can be taken out of the middle in O(1). */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/** A first-in, first-out list of entries that carry their own links: every operation is O(1). */
export class LinkedList<T extends Linked<T>> {
  first: T | undefined = undefined;
  last: T | undefined = undefined;

  append(entry: T): void {
    entry.previous = this.last;
    entry.next = undefined;
    if (this.last === undefined) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
  }

  /** The entry has to be in this list. */
  remove(entry: T): void {
    const { previous, next } = entry;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    entry.previous = undefined;
    entry.next = undefined;
  }
}
