import type { PolicyKey } from '../common/keyed-policies.js';
import { predicate } from '../common/option-rules.js';
import { checkerOf } from '../common/options.js';

/**
 * By what calls are equal, and so share one execution.
 *
 * @typeParam Key what answers which calls are equal
 */
export interface CoalesceOptions<Key = (...args: never[]) => PolicyKey> {
  /**
   * Gets the call's arguments; `this` is the object whose method was called. Where it throws, or answers neither
   * a text that is not empty nor a finite number, the call is on its own, which is told once in the log.
   *
   * @default calls of the same object with equal arguments are equal, where these are primitives, dates,
   * arrays and plain objects. An operation without arguments, one of a request-scoped provider, a bundle and
   * a pipeline have to name their key.
   */
  key?: Key;
}

/** @throws ResilienceConfigurationError */
export const checkCoalesceOptions = checkerOf<CoalesceOptions>({ key: predicate });
