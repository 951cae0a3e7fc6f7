/** The last `size` entries, in a ring. */
export class RecentList<T> {
  private ring: T[] = [];
  private position = 0;

  constructor(private readonly size: number) {}

  add(entry: T): void {
    if (this.size === 0) return;
    this.ring[this.position] = entry;
    this.position = (this.position + 1) % this.size;
  }

  newest(limit: number): T[] {
    const oldestFirst = [...this.ring.slice(this.position), ...this.ring.slice(0, this.position)];
    return oldestFirst.reverse().slice(0, Math.max(0, limit));
  }

  clear(): void {
    this.ring = [];
    this.position = 0;
  }
}
