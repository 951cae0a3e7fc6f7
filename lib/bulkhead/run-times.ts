/**
 * How a run ended: with an answer, by an error, or (with whatever) after the deadline of who had
 * asked for it. @internal
 */
export type RunEnd = 'answer' | 'error' | 'deadline';

/** So many of the latest runs count. */
const WINDOW = 31;

/** Fewer say nothing. */
const MINIMUM_RUNS = 5;

/**
 * How long a run takes: exact percentiles of the latest 31. They are kept in order, so a new one moves
 * at most 30 numbers, and half a window of new runs is enough to follow a change of the load.
 */
export class RunTimes {
  private readonly latest: number[] = [];
  private readonly ordered: number[] = [];
  private runs = 0;
  private next = 0;

  /** In ms; 0 until there have been enough runs to tell. */
  get medianMs(): number {
    return this.percentileMs(0.5);
  }

  /** What nine of ten do not exceed, in ms; 0 until there have been enough runs to tell. */
  get mostMs(): number {
    return this.percentileMs(0.9);
  }

  /** Whether there have been enough runs to tell. */
  get known(): boolean {
    return this.runs >= MINIMUM_RUNS;
  }

  /**
   * @param end what fails fast does not say how long an answer takes, and must not make a slow
   * dependency look fast; what fails late says "at least so long"
   */
  record(measuredMs: number, end: RunEnd): void {
    const durationMs = Math.round(measuredMs * 1_000) / 1_000; // differences of fractions are not exact
    if (end !== 'answer' && durationMs < this.medianMs) return;
    const place = this.runs < WINDOW ? this.runs++ : this.placeOf(this.latest[this.next] as number);
    this.latest[this.next] = durationMs;
    this.next = (this.next + 1) % WINDOW;
    this.put(durationMs, place);
  }

  /** By nearest rank. */
  private percentileMs(share: number): number {
    if (this.runs < MINIMUM_RUNS) return 0;
    return this.ordered[Math.ceil(this.runs * share) - 1] as number;
  }

  /** Where the oldest one is, which leaves. */
  private placeOf(durationMs: number): number {
    let low = 0;
    let high = this.runs - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ordered[middle] as number) < durationMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Fills a gap: whatever lies between it and where the new one belongs moves up by one. */
  private put(durationMs: number, gap: number): void {
    const { ordered } = this;
    const last = this.runs - 1;
    let place = gap;
    for (; place > 0 && (ordered[place - 1] as number) > durationMs; place--)
      ordered[place] = ordered[place - 1] as number;
    for (; place < last && (ordered[place + 1] as number) < durationMs; place++)
      ordered[place] = ordered[place + 1] as number;
    ordered[place] = durationMs;
  }
}
