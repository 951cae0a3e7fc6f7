import { errorChain } from '../context/error-chain.js';

/** The errors that calls through a breaker failed by. It keeps none of them alive. */
export class KnownFailures {
  private readonly errors = new WeakSet<object>();

  add(error: unknown): void {
    if (isObject(error)) this.errors.add(error);
  }

  /** Whether an error is one of them, or was made of one. */
  has(error: unknown): boolean {
    return errorChain(error).some((each) => isObject(each) && this.errors.has(each));
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
