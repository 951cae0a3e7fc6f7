import type { Scope } from '../context/scope.js';
import { errorChain } from '../errors/error-chain.js';
import { identityOf } from '../errors/failed-result.js';

/** The errors that calls through a breaker failed by. It keeps none of them alive. */
export class KnownFailures {
  private readonly errors = new WeakSet<object>();

  add(error: unknown): void {
    const failure = identityOf(error);
    if (isObject(failure)) this.errors.add(failure);
  }

  /** Whether an error is one of them, or was made of one. */
  has(error: unknown): boolean {
    return errorChain(error).some((each) => isObject(each) && this.errors.has(each));
  }
}

/**
 * What an attempt of a call has failed by before it met the breaker: it knows better why it fails than the
 * breaker, of which others may have learnt since.
 *
 * @param known by which calls through the breaker have failed
 */
export function failedBefore(
  scope: Scope | undefined,
  breaker: object,
  known: KnownFailures | undefined,
): unknown {
  for (let each = scope; each !== undefined; each = each.around) {
    const { failedBefore } = each;
    if (failedBefore === undefined) continue;
    const isThroughIt = each === scope || each.permitFor(breaker) !== undefined;
    if (isThroughIt || known?.has(failedBefore)) return failedBefore;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
