import type { ResolvedCircuitBreakerOptions } from '../circuit-breaker/circuit-breaker.options.js';
import { SECONDS } from './slice.js';
import type { Summary } from './summary.js';

/** How the attempts of a second went, or would have gone. */
export interface Second {
  good: number;
  failed: number;
}

/** What a breaker would have done in the last hour. */
export interface Replay {
  readonly openings: number;
  /** Attempts that it would have rejected and that failed, and those that were well. */
  readonly saved: number;
  readonly lost: number;
}

type Thresholds = Pick<
  ResolvedCircuitBreakerOptions,
  | 'failureThreshold'
  | 'failureRateThreshold'
  | 'minimumCalls'
  | 'windowMs'
  | 'windowCalls'
  | 'timeoutMs'
  | 'timeoutFactor'
  | 'maxTimeoutMs'
>;

/**
 * The seconds of the last hour, of all operations that go through a breaker together. Nobody knows how
 * those would have gone that it rejected while it was open: they count as the next ones that it let
 * through, which are its probes.
 */
export function secondsOf(sharers: readonly Summary[]): Second[] {
  const numbers = sharers.flatMap(({ slices }) => slices.map(({ number }) => number));
  if (numbers.length === 0) return [];
  const first = Math.min(...numbers);
  const slices = Math.max(...numbers) - first + 1;
  const seconds = Array.from({ length: slices * SECONDS }, () => ({
    good: 0,
    failed: 0,
    refused: 0,
  }));
  for (const slice of sharers.flatMap((sharer) => sharer.slices)) {
    const before = (slice.number - first) * SECONDS;
    for (let second = 0; second < SECONDS; second++) {
      const { good, failed, refused } = slice.outcomes(second);
      const all = seconds[before + second] as (typeof seconds)[number];
      all.good += good;
      all.failed += failed;
      all.refused += refused;
    }
  }
  let failing = 0;
  for (const second of seconds.reverse()) {
    const { good, failed, refused } = second;
    if (good + failed > 0) failing = failed / (good + failed);
    second.failed += refused * failing;
    second.good += refused * (1 - failing);
  }
  return seconds.reverse();
}

/**
 * Lets a breaker with these thresholds live through the seconds. It judges at the end of each; when its
 * time is over, it goes by how most attempts of that second went, as its probes would.
 */
export function replay(seconds: readonly Second[], thresholds: Thresholds): Replay {
  const { timeoutMs, timeoutFactor, maxTimeoutMs } = thresholds;
  const window = new ReplayedWindow(thresholds);
  const sum = { openings: 0, saved: 0, lost: 0 };
  let openUntil = 0;
  let openMs = timeoutMs;
  let isOpen = false;
  seconds.forEach((second, number) => {
    const { good, failed } = second;
    if (isOpen && (number < openUntil || good + failed === 0)) {
      sum.saved += failed;
      sum.lost += good;
      return;
    }
    if (isOpen && failed >= good) {
      openMs = Math.min(maxTimeoutMs, openMs * timeoutFactor);
      openUntil = number + openMs / 1_000;
      return;
    }
    isOpen = false;
    if (!window.opensAfter(second)) return;
    sum.openings++;
    window.clear();
    isOpen = true;
    openMs = timeoutMs;
    openUntil = number + 1 + openMs / 1_000;
  });
  return sum;
}

/** The window of a breaker, by the second. */
class ReplayedWindow {
  private held: Second[] = [];
  private from = 0;
  private good = 0;
  private failed = 0;

  constructor(private readonly thresholds: Thresholds) {}

  /** @returns whether a breaker opens by what it holds now */
  opensAfter(second: Second): boolean {
    this.held.push(second);
    this.good += second.good;
    this.failed += second.failed;
    while (this.isLeaving(this.held[this.from] as Second)) {
      const { good, failed } = this.held[this.from++] as Second;
      this.good -= good;
      this.failed -= failed;
    }
    const { failureThreshold, failureRateThreshold, minimumCalls } = this.thresholds;
    const calls = this.good + this.failed;
    if (second.failed === 0) return false;
    if (failureThreshold !== undefined && this.failed >= failureThreshold) return true;
    return (
      failureRateThreshold !== undefined &&
      calls >= minimumCalls &&
      this.failed * 100 >= failureRateThreshold * calls
    );
  }

  clear(): void {
    this.held = [];
    this.from = 0;
    this.good = 0;
    this.failed = 0;
  }

  /** Whether the oldest second does not belong to the window any more; the newest always does. */
  private isLeaving({ good, failed }: Second): boolean {
    const { windowMs, windowCalls = Number.POSITIVE_INFINITY } = this.thresholds;
    const held = this.held.length - this.from;
    if (held <= 1) return false;
    if (windowMs !== undefined) return held * 1_000 > windowMs;
    return this.good + this.failed - good - failed >= windowCalls;
  }
}
