import type { AttemptContext, Scope } from '../context/scope.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';

/** What the calls of an operation run; each call has its own object and arguments. */
export interface Work {
  /** Whether what it runs has to find its attempt: it is given that, or may make the very same call inside. */
  readonly needsScope: boolean;
  /** Begins the real work of an attempt. */
  begin(self: unknown, args: unknown[], attempt: AttemptContext): unknown;
  /** What a fallback answers instead. */
  answerBy(fallback: FallbackPolicy, error: unknown, self: unknown, args: unknown[]): unknown;
  /** Whether the answer has begun: then the call is neither repeated nor answered by its fallback. */
  isCommitted(caller: Scope | undefined): boolean;
  /** Whether making the call again does no harm. */
  mayRepeat(args: unknown[], caller: Scope | undefined): boolean;
}

/** A function, which gets the attempt; the arguments of its calls are for their stages alone. */
export class FunctionWork implements Work {
  constructor(private readonly fn: (attempt: AttemptContext) => unknown) {}

  get needsScope(): boolean {
    return true;
  }

  begin(_self: unknown, _args: unknown[], attempt: AttemptContext): unknown {
    const { fn } = this;
    return fn(attempt);
  }

  answerBy(fallback: FallbackPolicy, error: unknown): unknown {
    return fallback.run(error, undefined, []);
  }

  isCommitted(): boolean {
    return false;
  }

  mayRepeat(): boolean {
    return true;
  }
}
