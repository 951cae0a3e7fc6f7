/** What was found, where it was measured several times. */
export interface Figure {
  readonly minimum: number;
  readonly median: number;
  /** `'ns'`, `'× call + timer'` */
  readonly unit: string;
}

/** Values that come in one after the other, by what they are of. */
export class Samples<K> {
  private readonly values = new Map<K, number[]>();

  add(key: K, ...values: readonly number[]): void {
    this.values.set(key, [...(this.values.get(key) ?? []), ...values]);
  }

  figure(key: K, unit: string): Figure {
    return figureOf(this.values.get(key) ?? [], unit);
  }
}

export function figureOf(values: readonly number[], unit: string): Figure {
  return { minimum: Math.min(...values), median: median(values), unit };
}

/** What can be said of several figures: once of their minima, and once of their medians. */
export function derive(say: (read: (figure: Figure) => number) => number, unit: string): Figure {
  return {
    minimum: say((figure) => figure.minimum),
    median: say((figure) => figure.median),
    unit,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
