import { identityOf } from '../common/failed-result.js';
import { errorChain } from '../context/error-chain.js';

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

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
