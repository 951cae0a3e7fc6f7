import { AsyncResource } from 'node:async_hooks';
import type { AttemptStage, Permit, StageAttempt } from '../attempt/attempt-stage.js';
import { type Expiring, TimerQueue } from '../common/timer-queue.js';
import type { StageHost } from '../stage/stage-host.js';

/** An attempt or a call in shadow mode: that its time is up is told, and nothing happens to it. */
class Overrun implements Expiring<Overrun> {
  previous: Overrun | undefined = undefined;
  next: Overrun | undefined = undefined;
  expiresAt = 0;

  constructor(
    private readonly timer: ShadowTimer,
    private readonly operation: string,
  ) {}

  expire(): void {
    this.timer.tell(this.operation);
  }
}

/**
 * A time in shadow mode, and the one timer of all that it would limit. It is no deadline: what is called
 * inside knows nothing of it.
 */
export class ShadowTimer extends TimerQueue<Overrun> {
  /** What is told is told in that of the application, as the timer is set by any of the calls. */
  private readonly context = new AsyncResource('ShadowTimer');

  constructor(
    delayMs: number,
    private readonly host: Pick<StageHost, 'metrics' | 'report'>,
  ) {
    super(delayMs);
  }

  /** @returns what to `remove()` when there is nothing any more that it would limit */
  begin(operation: string, at: number): Overrun {
    const overrun = new Overrun(this, operation);
    this.add(overrun, at);
    return overrun;
  }

  tell(operation: string): void {
    const { delayMs: timeoutMs, host } = this;
    host.metrics.increment('shadow.timeout', { operation });
    this.context.runInAsyncScope(() =>
      host.report({ type: 'would-time-out', operation, timeoutMs }),
    );
  }
}

/** The time that one attempt may take, in shadow mode. */
export class ShadowTimeout extends ShadowTimer implements AttemptStage {
  readonly mode = 'shadow';

  admit(attempt: StageAttempt, at: number): Permit {
    return this.begin(attempt.operation, at);
  }

  settled(permit: Permit): void {
    this.remove(permit as Overrun);
  }
}
