import { duration } from '../common/option-rules.js';
import { check } from '../common/options.js';
import { TimerQueue } from '../common/timer-queue.js';
import type { Scope } from '../context/scope.js';
import type { StageHost } from '../stage/stage-host.js';
import { type TotalOwner, TotalScope, type TotalTime } from './total-scope.js';

/** The time that a call may take with all its attempts and waits, and the one timer of all that are running. */
export class TotalTimeoutPolicy extends TimerQueue<TotalScope> implements TotalTime {
  /** Unlike one in shadow. */
  readonly mode = undefined;

  /** @throws ResilienceConfigurationError */
  constructor(
    totalMs: number,
    place: string,
    private readonly host: Pick<StageHost, 'metrics' | 'report'>,
  ) {
    check(place, totalMs, duration);
    super(totalMs);
  }

  /** The time of a call begins. */
  begin(owner: TotalOwner, madeIn: Scope | undefined, at: number): TotalScope {
    const scope = new TotalScope(this, owner, madeIn, at);
    this.add(scope, at);
    return scope;
  }

  /** The time of a call has run out. */
  ranOut(operation: string): void {
    this.host.metrics.increment('total_timeout.total', { operation });
    this.host.report({ type: 'total-timeout', operation, timeoutMs: this.delayMs });
  }
}
