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

  /** @param entry is in this list, or in none: then nothing happens */
  remove(entry: T): void {
    const { previous, next } = entry;
    if (previous === undefined && this.first !== entry) return;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    entry.previous = undefined;
    entry.next = undefined;
  }

  /** All entries, which from now on are in no list: each is let go of before the next is given. */
  *taken(): Generator<T> {
    for (let entry = this.first; entry !== undefined; entry = this.first) {
      this.remove(entry);
      yield entry;
    }
  }
}
