import type { Attempt } from '../attempt/attempt.js';
import { ADMITTED } from '../attempt/hooks.js';
import { StraightAttempt } from '../attempt/straight.js';
import { now } from '../common/clock.js';
import { AMBIENT, beginPlain, endPlain } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import type { FailedResult } from '../errors/failed-result.js';
import type { CallKey } from '../stage/call-keys.js';
import type { Plan } from './plan.js';
import { PromiseCall } from './promise-call.js';
import type { Work } from './work.js';

/**
 * A call that nothing can cut, and that nothing inside has to know of: made in no scope, without a signal,
 * a timeout or whatever else needs one. It knows only "let in at once, and answered". From whatever else
 * becomes of it, a `PromiseCall` goes on, at the same attempt with the same permits.
 */
export class StraightCall<T> extends StraightAttempt {
  declare protected readonly plan: Plan;
  private goodKey: CallKey | undefined = undefined;

  constructor(
    plan: Plan,
    private readonly work: Work,
    readonly self: unknown,
    readonly args: unknown[],
  ) {
    super(plan, now());
  }

  run(): Promise<T> {
    const { plan, startedAt } = this;
    plan.shutdown.enter();
    if (plan.lastGood !== undefined) this.goodKey = plan.lastGood.keyOf(this.self, this.args);
    let waitsAt: number;
    try {
      plan.budget?.of(this, startedAt).recordFirstAttempt(startedAt);
      waitsAt = plan.hooks.admit(this, startedAt);
    } catch (refusal) {
      return this.handOver((_, attempt) => attempt.refuse(refusal, 'failure'));
    }
    if (waitsAt !== ADMITTED) return this.wait(waitsAt);
    let result: Promise<T>;
    try {
      result = this.begin();
    } catch (error) {
      return this.handOver((call, attempt) => call.failAttempt(attempt, error));
    }
    return result.then(
      (value) => this.succeeded(value),
      (error) => this.failed(error),
    );
  }

  private wait(waitsAt: number): Promise<T> {
    return this.handOver((_, attempt) => attempt.goOn(waitsAt));
  }

  /** @throws what the method throws without making a promise */
  private begin(): Promise<T> {
    this.ran = true;
    beginPlain(this);
    try {
      return promised(this.work.begin(this.self, this.args, AMBIENT));
    } finally {
      this.scope = endPlain();
    }
  }

  private succeeded(value: T): T | Promise<T> {
    const { plan, startedAt } = this;
    const at = now();
    this.scope?.leave();
    try {
      plan.hooks.finish(this, true);
      plan.hooks.settle(this, 'success', undefined, at, value);
    } catch (error) {
      return this.failedBy(error, value);
    }
    if (plan.results !== undefined) {
      let failure: FailedResult | undefined;
      try {
        failure = plan.results.judge(value, 1);
      } catch (error) {
        return this.misjudged(error, value);
      }
      if (failure !== undefined) return this.failedBy(failure, value);
    }
    plan.lastGood?.keep(this.goodKey, value, at);
    try {
      plan.observer.onSuccess(at - startedAt, at, this);
    } finally {
      plan.shutdown.leave();
    }
    return value;
  }

  /** It has answered, and fails all the same. (For closures over `value` there, every call would pay.) */
  private failedBy(failure: unknown, value: T): Promise<T> {
    return this.handOver((call, attempt) => {
      if (!attempt.answerFailed(failure, value)) call.discard(value);
    }, true);
  }

  private misjudged(error: unknown, value: T): Promise<T> {
    return this.handOver((call, attempt) => {
      attempt.answerMisjudged(error);
      call.discard(value);
    }, true);
  }

  private failed(error: unknown): Promise<T> {
    this.scope?.leave();
    return this.handOver((call, attempt) => call.failAttempt(attempt, error));
  }

  /** @param isOver whether its stages have been told how it went */
  private handOver(
    goOn: (call: PromiseCall<T>, attempt: Attempt<T>) => void,
    isOver = false,
  ): Promise<T> {
    const call = new PromiseCall<T>(this.plan, this.work, this.self, this.args, undefined);
    call.goodKey = this.goodKey;
    return call.takeOver(this, isOver, (attempt) => goOn(call, attempt));
  }
}
