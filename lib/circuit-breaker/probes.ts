import { Since } from '../common/clock.js';
import type { Scope } from '../context/scope.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';

/** Handed out by `acquire()`, given back when the call ends. */
export type Permit = number;

/** The calls of one half-open time, of which only so many run at once. */
export class Probes {
  /** When each running one began, oldest first. */
  private readonly running = new Map<Permit, Since>();
  private first: Permit = Number.POSITIVE_INFINITY;
  private successes = 0;

  constructor(private options: Readonly<ResolvedCircuitBreakerOptions>) {}

  /** Other options hold for those that come. Those that run are probes still. */
  change(options: Readonly<ResolvedCircuitBreakerOptions>): void {
    this.options = options;
  }

  /**
   * One that has not ended in `timeoutMs`, however long the breaker was open, loses its permit and makes
   * room for another: a hung one must not wedge the breaker.
   */
  haveRoom(at: number): boolean {
    for (const [permit, since] of this.running) {
      if (since.elapsedMs(at) < this.options.timeoutMs) break;
      this.running.delete(permit);
    }
    return this.running.size < this.options.halfOpenMaxCalls;
  }

  begin(permit: Permit, at: number): void {
    this.running.set(permit, new Since(at));
    this.first = Math.min(this.first, permit);
  }

  /**
   * @returns whether its outcome counts: that of any probe of this half-open time does, however late. A
   * dependency that takes longer than `timeoutMs` to answer has recovered all the same, and one that ran
   * into a timeout of that length has clearly not.
   */
  end(permit: Permit): boolean {
    this.running.delete(permit);
    return this.include(permit);
  }

  /** Whether it is, or has been, one of them. */
  include(permit: Permit): boolean {
    return permit >= this.first;
  }

  /** A call inside a probe needs no permit of its own, and is judged by the outcome of the probe. */
  isAround(scope: Scope | undefined, breaker: object): boolean {
    for (let call = scope; call !== undefined; call = call.around)
      if (this.include((call.permitFor(breaker) as Permit | undefined) ?? 0)) return true;
    return false;
  }

  has(permit: Permit): boolean {
    return this.running.has(permit);
  }

  release(permit: Permit): void {
    this.running.delete(permit);
  }

  /** @returns whether that were enough of them to close the breaker */
  succeed(): boolean {
    return ++this.successes >= this.options.successThreshold;
  }
}
