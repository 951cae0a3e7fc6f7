/**
 * The latest `size` values, and where their percentiles lie, exactly. They are kept in order as well,
 * so a new one moves at most `size` numbers; the memory is fixed.
 */
export class RecentValues {
  count = 0;
  private readonly latest: number[] = [];
  private readonly ordered: number[] = [];
  private next = 0;

  constructor(private readonly size: number) {}

  add(value: number): void {
    const gap =
      this.count < this.size ? this.count++ : this.placeOf(this.latest[this.next] as number);
    this.latest[this.next] = value;
    this.next = (this.next + 1) % this.size;
    this.put(value, gap);
  }

  /** The oldest first. */
  list(): number[] {
    return [...this.latest.slice(this.next), ...this.latest.slice(0, this.next)];
  }

  /** By nearest rank. @param percent above 0, at most 100 */
  percentile(percent: number): number | undefined {
    return this.ordered[Math.ceil((percent / 100) * this.count) - 1];
  }

  /** Where the oldest one is, which leaves. */
  private placeOf(value: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ordered[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Fills a gap: whatever lies between it and where the new one belongs moves up by one. */
  private put(value: number, gap: number): void {
    const { ordered } = this;
    const last = this.count - 1;
    let place = gap;
    for (; place > 0 && (ordered[place - 1] as number) > value; place--)
      ordered[place] = ordered[place - 1] as number;
    for (; place < last && (ordered[place + 1] as number) < value; place++)
      ordered[place] = ordered[place + 1] as number;
    ordered[place] = value;
  }
}
