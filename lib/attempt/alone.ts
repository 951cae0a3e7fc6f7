import { now } from '../common/clock.js';
import { AMBIENT, beginPlain, endPlain, surroundings } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import { AloneCall, type AloneWork } from './alone-call.js';
import type { AttemptPlan } from './attempt-plan.js';
import { type AttemptStage, WAIT } from './attempt-stage.js';
import { hooksOf } from './hooks.js';
import { PlainAttempt } from './plain-attempt.js';

/** What calls through a stage by itself need, beside what the stage says. */
export interface AloneNeeds {
  /** Whether they run in scopes also where the stage needs none at the moment. @default no */
  readonly scope?: boolean;
  /** When the stage has to be told at what time one began: reading the clock is a good part of its price. @default always */
  readonly start?: 'in a scope' | 'never';
}

/** Makes calls through one stage by itself, without a pipeline around it. */
export class Alone {
  private readonly plan: AttemptPlan;
  /** All calls that are the same to the stage: it asks neither when they began, nor what happened inside. When they began, nobody knows. */
  private readonly timeless: PlainAttempt;

  /** @param inFlight counts the calls */
  constructor(
    private readonly stage: AttemptStage,
    name: string,
    private readonly inFlight: InFlight | undefined,
    private readonly needs: AloneNeeds = {},
  ) {
    this.plan = {
      operation: name,
      hooks: hooksOf([stage]),
      critical: undefined,
      timeoutMs: Number.POSITIVE_INFINITY,
      captureStackTrace: false,
    };
    this.timeless = new PlainAttempt(name, stage, Number.NaN);
  }

  /**
   * @throws what refuses the call, or what `work` throws, untouched; the reason of a caller that gave up
   * before it began
   */
  run<T>(work: AloneWork<T>): Promise<T> {
    this.inFlight?.enter();
    try {
      const around = surroundings();
      const needsScope = this.needs.scope === true || this.stage.needsScope === true;
      return around === undefined && !needsScope
        ? this.runPlain(work)
        : this.callIn(around, work).run();
    } catch (error) {
      this.inFlight?.leave();
      return Promise.reject(error);
    }
  }

  private callIn<T>(around: Scope | undefined, work: AloneWork<T>): AloneCall<T> {
    return new AloneCall(this.plan, around, work, this.inFlight, this.needs.start === 'never');
  }

  /**
   * A call that nobody can cut, and that has no scope: an async context of its own is more than all the rest.
   *
   * @throws what refuses it, or what `work` throws without making a promise
   */
  private runPlain<T>(work: AloneWork<T>): Promise<T> {
    const { inFlight, plan, stage } = this;
    const isTimed = this.needs.start === undefined;
    const at = isTimed ? now() : 0;
    const begun = isTimed ? new PlainAttempt(plan.operation, stage, at) : this.timeless;
    const permit = stage.admit(begun, at);
    if (permit === WAIT) return this.callIn(undefined, work).runLater();
    begun.permit = permit;
    let result: Promise<T>;
    beginPlain(begun);
    try {
      result = promised(work(AMBIENT));
    } catch (error) {
      begun.metIn(endPlain()).fail(permit, error);
      throw error;
    }
    const attempt = begun.metIn(endPlain());
    return result.then(
      (value) => {
        inFlight?.leave();
        attempt.answer(permit, value);
        return value;
      },
      (error) => {
        inFlight?.leave();
        attempt.fail(permit, error);
        throw error;
      },
    );
  }
}

const alone = new WeakMap<AttemptStage, Alone>();

/**
 * Calls `fn` through one stage by itself, without a pipeline around it, as `CircuitBreakerPolicy.execute()`
 * does: for an instance of a stage of your own, which was injected.
 *
 * @throws what refuses the call, or what `fn` throws, untouched; the reason of a caller that gave up before
 * it began
 *
 * @example
 * await executeThrough(breaker, () => fetch('https://shop.test', { signal: currentSignal() }));
 */
export function executeThrough<T>(
  stage: AttemptStage,
  fn: (attempt: AttemptContext) => PromiseLike<T>,
): Promise<T> {
  let through = alone.get(stage);
  if (through === undefined) {
    through = new Alone(stage, 'executeThrough()', undefined);
    alone.set(stage, through);
  }
  return through.run(fn);
}
