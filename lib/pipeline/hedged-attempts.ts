import { Attempt, type AttemptOwner } from '../attempt/attempt.js';
import { Alarm } from '../common/alarm.js';
import { now } from '../common/clock.js';
import type { Scope } from '../context/scope.js';
import { isRejection } from '../errors/resilience.error.js';
import type { HedgePolicy } from '../hedge/hedge.policy.js';
import type { Wait } from '../shutdown/shutdown.js';
import type { Plan } from './plan.js';

/** The call that makes them. */
interface HedgedOwner<T> extends AttemptOwner<T> {
  readonly plan: Plan;
  /** What an attempt answered, by which it failed, is of no use. */
  drop(attempt: Attempt<T>): void;
}

/**
 * An attempt that is made again, beside itself, where it is slow to answer. The first success is its
 * own, and the others are cancelled; it fails when all that were made have failed.
 */
export class HedgedAttempts<T> implements AttemptOwner<T>, Wait {
  private delayMs = 0;
  private readonly made: Attempt<T>[] = [];
  private running = 0;
  private settled = false;
  private isCancelled = false;
  /** By which it fails, if it does. */
  private failure: { error: unknown; attempt: Attempt<T> } | undefined = undefined;
  private readonly alarm = new Alarm(() => this.inContext(() => this.hedgeNow()));

  constructor(
    private readonly owner: HedgedOwner<T>,
    private readonly hedge: HedgePolicy,
    readonly attempt: number,
    private readonly madeIn: Scope | undefined,
    private readonly startedAt: number,
  ) {}

  get plan(): Plan {
    return this.owner.plan;
  }

  get self(): unknown {
    return this.owner.self;
  }

  get args(): readonly unknown[] {
    return this.owner.args;
  }

  get failedBefore(): unknown {
    return this.owner.failedBefore;
  }

  start(): void {
    this.make(this.startedAt);
    this.wait();
  }

  invoke(attempt: Attempt<T>): void {
    this.owner.invoke(attempt);
  }

  timedOut(timeoutMs: number): void {
    this.owner.timedOut(timeoutMs);
  }

  abandoned(attempt: Attempt<T>): void {
    this.owner.abandoned(attempt);
  }

  broke(error: unknown): void {
    this.owner.broke(error);
  }

  inContext(settle: () => void): void {
    this.owner.inContext(settle);
  }

  succeeded(value: T, at: number, attempt: Attempt<T>): void {
    if (this.settled) return;
    this.settle();
    if (this.failure !== undefined) this.owner.drop(this.failure.attempt);
    this.hedge.recordAnswer(Math.max(0, at - attempt.startedAt)); // a test may have put the clock back
    if (attempt !== this.made[0]) this.plan.observer.onHedgeWon();
    for (const loser of this.made) if (loser !== attempt) loser.cancel(fasterOne());
    this.owner.succeeded(value, at, attempt);
  }

  failed(error: unknown, attempt: Attempt<T>): void {
    this.plan.observer.onAttemptFailed(error, attempt, this.settled || this.isCancelled);
    const before = this.failure;
    const isBetter = before === undefined || this.saysMore(error, attempt, before.attempt);
    const failure = isBetter ? { error, attempt } : before;
    if (before !== undefined) this.owner.drop((isBetter ? before : { attempt }).attempt);
    this.failure = failure;
    this.running--;
    if (this.settled || this.running > 0) return; // another may still answer
    this.settle();
    this.owner.failed(failure.error, failure.attempt);
  }

  /**
   * That a hedge found no room says less than what the attempt beside it failed by; a result that counts as
   * a failure, which may be the answer all the same, says more than an error.
   */
  private saysMore(error: unknown, attempt: Attempt<T>, before: Attempt<T>): boolean {
    return attempt.kept !== undefined || (before.kept === undefined && !isRejection(error));
  }

  cancel(reason: unknown): void {
    this.isCancelled = true;
    this.waitNoMore();
    for (const attempt of this.made) attempt.cancel(reason);
  }

  /** The application closes: the call has the attempts that it has. */
  stop(): void {
    this.alarm.stop();
  }

  hasRetried(error: unknown): boolean {
    return this.made.some((attempt) => attempt.hasRetried(error));
  }

  passesRetried(error: unknown): boolean {
    return this.made.some((attempt) => attempt.passesRetried(error));
  }

  private make(at: number): void {
    const attempt = new Attempt(this, this.attempt, this.madeIn, at, true);
    if (this.made.length > 0) attempt.hedged(this.made.length);
    this.made.push(attempt);
    this.running++;
    attempt.start();
  }

  private wait(): void {
    const { delayMs, options } = this.hedge;
    if (this.settled || delayMs === undefined || this.made.length > options.maxHedged) return;
    this.delayMs = delayMs;
    this.alarm.set(delayMs);
    this.plan.shutdown.add(this);
  }

  private hedgeNow(): void {
    const at = now();
    if (this.plan.shutdown.closed || !this.hedge.tryHedge(this.owner, at)) return;
    this.plan.observer.onHedge(this.made.length, this.delayMs);
    if (this.settled) return; // by one who heard of it
    this.make(at);
    this.wait();
  }

  private settle(): void {
    this.settled = true;
    this.waitNoMore();
  }

  private waitNoMore(): void {
    this.alarm.stop();
    this.plan.shutdown.delete(this);
  }
}

function fasterOne(): DOMException {
  return new DOMException('Another attempt was faster', 'AbortError');
}
