import { now } from '../common/clock.js';
import { AMBIENT, beginPlain, endPlain, surroundings } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import type { AttemptContext } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import { AloneCall, type AloneWork } from './alone-call.js';
import type { AttemptPlan } from './attempt.js';
import { type AttemptStage, WAIT } from './attempt-stage.js';
import { hooksOf } from './hooks.js';
import { PlainAttempt } from './plain-attempt.js';

/** Makes calls through one stage by itself, without a pipeline around it. */
export class Alone {
  private readonly plan: AttemptPlan;
  /** All calls that are the same to the stage: it asks neither when they began, nor what happened inside. */
  private readonly timeless: PlainAttempt;

  /** @param inFlight counts the calls */
  constructor(
    private readonly stage: AttemptStage,
    name: string,
    private readonly inFlight: InFlight | undefined,
  ) {
    this.plan = {
      operation: name,
      hooks: hooksOf([stage]),
      critical: undefined,
      timeoutMs: Number.POSITIVE_INFINITY,
      captureStackTrace: false,
    };
    this.timeless = new PlainAttempt(name, stage, 0);
  }

  /**
   * @throws what refuses the call, or what `work` throws, untouched; the reason of a caller that gave up
   * before it began
   */
  run<T>(work: AloneWork<T>): Promise<T> {
    this.inFlight?.enter();
    try {
      const around = surroundings();
      const { needsScope, needsStart } = this.stage;
      // One that never asks when calls began knows them by their scopes.
      const isPlain = around === undefined && needsScope !== true && needsStart !== 'never';
      return isPlain
        ? this.runPlain(work)
        : new AloneCall(this.plan, this.stage, around, work, this.inFlight).run();
    } catch (error) {
      this.inFlight?.leave();
      return Promise.reject(error);
    }
  }

  /**
   * A call that nobody can cut, and that has no scope: an async context of its own is more than all the rest.
   *
   * @throws what refuses it, or what `work` throws without making a promise
   */
  private runPlain<T>(work: AloneWork<T>): Promise<T> {
    const { inFlight, plan, stage } = this;
    const isTimed = stage.needsStart === undefined;
    const at = isTimed ? now() : 0;
    const begun = isTimed ? new PlainAttempt(plan.operation, stage, at) : this.timeless;
    const permit = stage.admit(begun, at);
    if (permit === WAIT) return new AloneCall(plan, stage, undefined, work, inFlight).runLater();
    begun.permit = permit;
    let result: Promise<T>;
    beginPlain(begun);
    try {
      result = promised(work(AMBIENT));
    } catch (error) {
      begun.metIn(endPlain()).end(permit, false, error);
      throw error;
    }
    const attempt = begun.metIn(endPlain());
    return result.then(
      (value) => {
        inFlight?.leave();
        attempt.end(permit, true, undefined);
        return value;
      },
      (error) => {
        inFlight?.leave();
        attempt.end(permit, false, error);
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
 * @example executeThrough(this.quota, () => fetch(url, { signal: currentSignal() }))
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
