const REFRESH = 10;

/** The latest `size` values, and where their percentiles lie. Adding is O(1), the memory is fixed. */
export class RecentValues {
  private readonly values: Float64Array;
  private position = 0;
  /** Sorted, some additions ago. */
  private sorted: Float64Array | undefined = undefined;
  private added = 0;
  count = 0;

  constructor(size: number) {
    this.values = new Float64Array(size);
  }

  add(value: number): void {
    this.values[this.position] = value;
    this.position = this.position + 1 === this.values.length ? 0 : this.position + 1;
    if (this.count < this.values.length) this.count++;
    if (++this.added >= REFRESH || this.count < REFRESH) this.sorted = undefined;
  }

  /** By nearest rank, as of at most ten values ago. @param percent above 0, at most 100 */
  percentile(percent: number): number | undefined {
    if (this.count === 0) return undefined;
    if (this.sorted === undefined) {
      this.sorted = this.values.slice(0, this.count).sort();
      this.added = 0;
    }
    return this.sorted[Math.ceil((percent / 100) * this.sorted.length) - 1];
  }
}
