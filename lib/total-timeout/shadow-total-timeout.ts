import type { Scope } from '../context/scope.js';
import type { StageHost } from '../stage/stage-host.js';
import { ShadowTimer } from '../timeout/shadow-timeout.js';
import { type TotalOwner, TotalScope, type TotalTime } from './total-scope.js';

/** The time that a call may take with all its attempts and waits, in shadow mode. */
export class ShadowTotalTimeout {
  readonly mode = 'shadow';
  private readonly timer: ShadowTimer;

  constructor(
    readonly delayMs: number,
    host: Pick<StageHost, 'metrics' | 'report'>,
  ) {
    this.timer = new ShadowTimer(delayMs, host);
  }

  /** The time of a call begins, which has no deadline by it. */
  begin(owner: TotalOwner, madeIn: Scope | undefined, at: number): TotalScope {
    const overrun = this.timer.begin(owner.plan.operation, at);
    const time: TotalTime = {
      delayMs: Number.POSITIVE_INFINITY,
      remove: () => this.timer.remove(overrun),
      ranOut: () => undefined,
    };
    return new TotalScope(time, owner, madeIn, at);
  }

  letProcessEnd(): void {
    this.timer.letProcessEnd();
  }
}
