import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { onNextTurn } from '../common/next-turn.js';
import { innermost, Scope } from '../context/scope.js';

/** So many fallbacks of one operation may be inside each other: mirrors that are tried in turn are few. */
const MAX_DEPTH = 10;

/**
 * What a fallback runs in: the calls that it makes belong to the caller of the call that failed. By it a
 * fallback is recognized that calls, perhaps by many ways, the very operation that it stands in for.
 */
export class FallbackScope extends Scope {
  private readonly depth: number;

  /** @throws ResilienceConfigurationError where it would go on for ever */
  constructor(
    private readonly operation: object,
    name: string,
    madeIn: Scope | undefined,
  ) {
    const attempt = innermost(madeIn)?.attempt ?? 1;
    super(attempt, madeIn, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    this.depth = FallbackScope.depthOf(operation, this.around) + 1;
    if (this.depth <= MAX_DEPTH) return;
    throw new ResilienceConfigurationError(
      `${name} @Fallback()`,
      `calls ${name} itself, ${MAX_DEPTH} times inside each other; allowed: a fallback that ends without the call that has failed, by a cache or a constant for instance`,
    );
  }

  /** It surfaces from the fallback, and so from the call. */
  override noteRetried(error: unknown, passes = false): void {
    this.caller?.noteRetried(error, passes);
  }

  /** What it did not wait for may call in the same turn of the event loop, and go in a circle as well. */
  override end(): void {
    onNextTurn(() => super.end());
  }

  /** The innermost scope that is none of a fallback: a fallback's errors go on to it. */
  static callerOf(scope: Scope | undefined): Scope | undefined {
    return scope instanceof FallbackScope ? FallbackScope.callerOf(scope.caller) : scope;
  }

  /** How many fallbacks of an operation are around, detached work included. */
  private static depthOf(operation: object, around: Scope | undefined): number {
    for (let scope = around; scope !== undefined; scope = scope.around) {
      if (scope instanceof FallbackScope && scope.operation === operation) return scope.depth;
    }
    return 0;
  }
}
