import { types } from 'node:util';
import { drop } from '../common/answers.js';
import { now } from '../common/clock.js';
import { markAsChaos, noteAnswered, noteSlowed } from '../context/chaos-marks.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';
import { Pause } from '../pipeline/pause.js';
import type { Work } from '../pipeline/work.js';
import type { Shutdown } from '../shutdown/shutdown.js';
import type { ActiveRule } from './active-rule.js';
import { ChaosError } from './chaos.error.js';
import type { Faulty } from './faulty.js';
import type { OperationChaos } from './operation-chaos.js';

/**
 * The work of a call, where chaos may stand before it or in its place: inside of all stages, which see what
 * they would see of a real fault.
 */
export class ChaoticWork implements Work {
  constructor(
    private readonly work: Work,
    private readonly chaos: OperationChaos,
    private readonly shutdown: Shutdown,
    private readonly faulty: Faulty,
  ) {}

  /** What comes of chaos is told by the attempt that it came to. */
  get needsScope(): boolean {
    return this.work.needsScope || !this.chaos.isQuiet;
  }

  begin(self: unknown, args: unknown[], attempt: AttemptContext): unknown {
    const rule = this.chaos.hit();
    if (rule === undefined) return this.work.begin(self, args, attempt);
    const latencyMs = this.latencyOf(rule);
    this.report(rule, attempt, latencyMs);
    const go = () => this.effect(rule, self, args, attempt);
    // An error costs time too, where it is retried.
    if (rule.effect !== 'result' || latencyMs !== undefined) noteSlowed(attempt);
    const waitMs = rule.effect === 'hang' ? Number.POSITIVE_INFINITY : latencyMs;
    return waitMs === undefined
      ? go()
      : this.faulty.later(() => this.wait(rule, waitMs, attempt.signal), go);
  }

  answerBy(fallback: FallbackPolicy, error: unknown, self: unknown, args: unknown[]): unknown {
    return this.work.answerBy(fallback, error, self, args);
  }

  isCommitted(caller: Scope | undefined): boolean {
    return this.work.isCommitted(caller);
  }

  mayRepeat(args: unknown[], caller: Scope | undefined): boolean {
    return this.work.mayRepeat(args, caller);
  }

  private effect(
    active: ActiveRule,
    self: unknown,
    args: unknown[],
    attempt: AttemptContext,
  ): unknown {
    const { faulty } = this;
    const { id, effect, rule } = active;
    const goesOn = effect === 'latency' || (effect === 'hang' && !this.shutdown.closed);
    if (goesOn || active.isOver(now())) return this.work.begin(self, args, attempt);
    // Also where it has hung until the application closed.
    if (effect !== 'result') return faulty.fail(this.errorOf(id, rule.error));
    noteAnswered(attempt);
    return faulty.answer(() => resultOf(rule.result, args));
  }

  /** Marked, so that nobody takes it for a real one. */
  private errorOf(id: string, made: unknown): unknown {
    const error = this.made(id, made);
    markAsChaos(error);
    return error;
  }

  private made(id: string, make: unknown): unknown {
    const { operation } = this.chaos;
    if (typeof make !== 'function') return new ChaosError(operation, id);
    let error: unknown;
    try {
      error = make();
    } catch (thrown) {
      error = thrown;
    }
    if (types.isPromise(error)) {
      drop(error);
      error = 'error of the rule returned a promise; it has to return the error at once';
    }
    return typeof error === 'object' && error !== null
      ? error
      : new ChaosError(operation, id, error);
  }

  private latencyOf({ rule: { latencyMs } }: ActiveRule): number | undefined {
    if (latencyMs === undefined || typeof latencyMs === 'number') return latencyMs;
    const [min, max] = latencyMs;
    return min + this.chaos.chaos.draw() * (max - min);
  }

  private report(
    rule: ActiveRule,
    { attempt }: AttemptContext,
    latencyMs: number | undefined,
  ): void {
    const { chaos, operation } = this.chaos;
    chaos.injected(rule, { operation, attempt, ...(latencyMs !== undefined && { latencyMs }) });
  }

  /** Ends at once when nobody waits any more, by the reason; and when the rule ends, or the application has closed. */
  private wait(rule: ActiveRule, ms: number, signal: AbortSignal): Promise<void> {
    const { shutdown } = this;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      if (shutdown.closed) {
        resolve();
        return;
      }
      const pause = new Pause(Math.min(ms, rule.leftMs(now())));
      const cut = () => {
        reject(signal.reason);
        pause.stop();
      };
      signal.addEventListener('abort', cut);
      shutdown.add(pause);
      const letGo = rule.holdUp(pause);
      void pause.over.then(() => {
        signal.removeEventListener('abort', cut);
        shutdown.delete(pause);
        letGo();
        resolve();
      });
    });
  }
}

function resultOf(result: unknown, args: unknown[]): unknown {
  return typeof result === 'function' ? result(...args) : result;
}
