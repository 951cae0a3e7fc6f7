/** The figures of several rounds, by what was measured. */
export class Rounds {
  constructor(readonly all: readonly Readonly<Record<string, number>>[]) {}

  /** The median of a figure, or of what can be said of several: of each round, as rounds differ. */
  median(figure: string | ((of: (name: string) => number) => number)): number {
    const say = typeof figure === 'string' ? (of: (name: string) => number) => of(figure) : figure;
    return median(this.all.map((round) => say((name) => round[name] ?? Number.NaN)));
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
