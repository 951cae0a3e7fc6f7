import type { Attempt } from '../attempt/attempt.js';
import { runInScope } from '../context/ambient.js';
import { isFeigned } from '../context/chaos-marks.js';
import type { Recording } from '../fallback/last-good.js';

type Step<T> = Promise<IteratorResult<T, unknown>>;

/** An async generator that has given its first value, and goes on in the scope in which it gave it. */
export class Begun<T> implements AsyncIterableIterator<T, unknown, unknown> {
  private interrupt: ((reason: unknown) => void) | undefined = undefined;
  private cutBy: { reason: unknown } | undefined = undefined;

  /**
   * @param attempt whose it is, where it is no fallback's
   * @param recording takes down what it gives, as long as nothing is sent to it
   * @param ended called when it has really ended
   */
  constructor(
    private readonly values: AsyncGenerator<T, unknown, unknown>,
    private first: IteratorResult<T, unknown> | undefined,
    private readonly attempt: Attempt<unknown> | undefined,
    private readonly recording: Recording | undefined,
    private readonly ended: () => void,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(sent: unknown): Step<T> {
    const { first, recording } = this;
    this.first = undefined;
    if (first === undefined && sent !== undefined) recording?.stop();
    const step = this.step(() =>
      first === undefined ? this.values.next(sent) : Promise.resolve(first),
    );
    return recording === undefined ? step : this.recorded(step, recording);
  }

  throw(error: unknown): Step<T> {
    this.recording?.stop();
    return this.step(() => this.values.throw(error));
  }

  async return(value: unknown): Step<T> {
    this.recording?.stop();
    return this.cutBy === undefined
      ? this.step(() => this.values.return(value))
      : { value, done: true };
  }

  /** Who waits for a value, or asks for one, gets the reason: the generator may never give one. */
  cut(reason: unknown): void {
    this.cutBy = { reason };
    this.interrupt?.(reason);
    // What it throws is dropped.
    runInScope(this.attempt?.inside, () => this.values.return(undefined)).then(
      this.ended,
      this.ended,
    );
  }

  private async recorded(step: Step<T>, recording: Recording): Step<T> {
    const taken = await step;
    if (this.attempt !== undefined && isFeigned(this.attempt)) recording.stop();
    else if (taken.done) recording.ended(taken.value);
    else recording.add(taken.value);
    return taken;
  }

  private async step(take: () => Step<T>): Step<T> {
    const { attempt } = this;
    try {
      const step = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        if (this.cutBy !== undefined) throw this.cutBy.reason;
        this.interrupt = reject;
        runInScope(attempt?.inside, take).then(resolve, reject);
      });
      if (step.done) this.ended();
      return step;
    } catch (error) {
      if (this.cutBy !== undefined) throw error; // it ends by itself
      if (attempt?.hasRetried(error)) attempt.caller?.noteRetried(error);
      this.ended();
      throw error;
    }
  }
}
