import { ask } from '../common/answers.js';
import { isError } from '../common/is-error.js';
import type { LastGood } from './last-good.js';

/** Called with the call's arguments, then the error. */
export type FallbackMethod = (this: unknown, ...argsThenError: unknown[]) => unknown;

/** Called with the error, then the call's arguments. */
export type FallbackFunction = (error: unknown, ...args: unknown[]) => unknown;

/**
 * Answers in place of a call that failed for good.
 *
 * The handler is the name of a method of the same object, or a function; there may be none, where the last
 * success answers.
 */
export class FallbackPolicy {
  constructor(
    readonly handler: PropertyKey | FallbackFunction | undefined,
    /** Which failures it answers; without it, all but client errors. */
    private readonly when?: (error: unknown) => boolean,
    /** Which results it replaces; without it, none. */
    readonly whenResult?: (result: unknown) => boolean,
    /** What answers before the handler is asked. */
    readonly lastGood?: LastGood,
    /** Where it stands, for errors. */
    readonly place = 'FallbackPolicy',
  ) {}

  /**
   * @returns whether it answers this failure; `undefined` where it has no condition of its own
   * @throws what `when` throws
   */
  answers(error: unknown): boolean | undefined {
    return this.when === undefined ? undefined : ask(this, 'when', this.when(error));
  }

  /**
   * @returns whether it replaces a result; `undefined` where it has no condition for results
   * @throws what `whenResult` throws
   */
  replacesResult(result: unknown): boolean | undefined {
    return this.whenResult && ask(this, 'whenResult', this.whenResult(result));
  }

  /**
   * @param arity how many arguments the call's method declares: a fallback method gets as many, so
   * that the error does not take the place of an optional one that was left out
   */
  run(error: unknown, self: unknown, args: readonly unknown[], arity = 0): unknown {
    if (typeof this.handler === 'function') return this.handler(error, ...args);
    const missing = Array.from({ length: Math.max(0, arity - args.length) }, () => undefined);
    const methods = self as Record<PropertyKey, FallbackMethod>;
    return methods[this.handler as PropertyKey]?.(...args, ...missing, error);
  }
}

/** Nobody reads further down. */
const MAX_CAUSES = 200;

/** Keeps the call's error in sight: as the `cause` of the fallback's own, where that has none. */
export function linkCause(fallbackError: unknown, error: unknown): void {
  try {
    if (!isError(fallbackError) || fallbackError.cause !== undefined) return;
    const chain = new Set<unknown>(); // which may be a circle already
    for (let cause = error; isError(cause) && !chain.has(cause); cause = cause.cause)
      if (chain.add(cause).size > MAX_CAUSES) return;
    if (chain.has(fallbackError)) return;
    const cause = { value: error, writable: true, configurable: true };
    Reflect.defineProperty(fallbackError, 'cause', cause);
  } catch {} // a getter that throws must not take the error's place
}
