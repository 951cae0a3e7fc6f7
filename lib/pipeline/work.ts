import type { AttemptContext } from '../context/scope.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';

/** What a call runs, and whose it is. */
export interface Work {
  /** Begins the real work of an attempt. */
  begin(attempt: AttemptContext): unknown;
  /** What a fallback answers instead. */
  answerBy(fallback: FallbackPolicy, error: unknown): unknown;
  /** Whether the answer has begun: then the call is neither repeated nor answered by its fallback. */
  readonly committed: boolean;
  /** Takes an answer that came when nobody waited for it any more. */
  discard(answer: unknown): void;
}

/** A function that somebody hands to a pipeline. */
export class FunctionWork implements Work {
  readonly committed = false;

  constructor(private readonly fn: (attempt: AttemptContext) => unknown) {}

  begin(attempt: AttemptContext): unknown {
    return this.fn(attempt);
  }

  answerBy(fallback: FallbackPolicy, error: unknown): unknown {
    return fallback.run(error, undefined, []);
  }

  discard(): void {}
}
