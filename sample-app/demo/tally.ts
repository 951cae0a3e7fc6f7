import type { Answer, Outcome, RequestKind } from './customer.js';

interface Entry extends Answer {
  readonly kind: RequestKind;
  readonly at: number;
  readonly tookMs: number;
}

/** A shop counts as recovered when its answers stay flawless for this long. */
const STEADY_MS = 1_000;

/** Every answer that a shop's customers got, in the order in which they got it. */
export class Tally {
  private readonly entries: Entry[] = [];
  readonly counts: Record<Outcome, number> = { ok: 0, degraded: 0, failed: 0 };

  add(kind: RequestKind, answer: Answer, tookMs: number): void {
    this.entries.push({ ...answer, kind, tookMs, at: performance.now() });
    this.counts[answer.outcome] += 1;
  }

  get requests(): number {
    return this.entries.length;
  }

  failures(kind: RequestKind): string[] {
    return this.entries
      .filter((entry) => entry.kind === kind && entry.outcome === 'failed')
      .map(({ reason = 'unknown' }) => reason);
  }

  /** The orders that the shop accepted, or only those that it accepted with this outcome. */
  acceptedOrders(outcome?: Outcome): string[] {
    return this.entries
      .filter((entry) => outcome === undefined || entry.outcome === outcome)
      .flatMap(({ orderId }) => orderId ?? []);
  }

  /** The time within which this percentage of the customers had an answer. */
  percentileMs(percentage: number): number {
    const sorted = this.entries.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    return sorted[Math.ceil((sorted.length * percentage) / 100) - 1] ?? 0;
  }

  /** From `healedAt` to the first of an unbroken run of flawless answers; undefined: not yet. */
  recoveryMs(kind: RequestKind, healedAt: number): number | undefined {
    let runStart: number | undefined;
    for (const { at, outcome } of this.entries.filter((entry) => entry.kind === kind)) {
      if (at < healedAt) continue;
      if (outcome !== 'ok') {
        runStart = undefined;
        continue;
      }
      runStart ??= at;
      if (at - runStart >= STEADY_MS) return runStart - healedAt;
    }
    return undefined;
  }
}
