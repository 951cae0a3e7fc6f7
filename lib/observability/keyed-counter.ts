/** Where counts go whose key came too late to get a place of its own. */
export const OTHER = '__other__';

/** Counts by key, with a bounded number of keys. */
export class KeyedCounter {
  private readonly byKey = new Map<string, number>();

  constructor(private readonly maxKeys: number) {}

  add(key: string): void {
    const place = this.byKey.has(key) || this.byKey.size < this.maxKeys ? key : OTHER;
    this.byKey.set(place, (this.byKey.get(place) ?? 0) + 1);
  }

  /** A copy. */
  counts(): Map<string, number> {
    return new Map(this.byKey);
  }

  clear(): void {
    this.byKey.clear();
  }
}
