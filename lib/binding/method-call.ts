import { isObservable } from 'rxjs';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { AnyMethod } from '../dispatch/method-definition.js';
import type { ErrorMapping } from '../edge/edge-errors.js';
import { freeUnsent } from '../edge/free-unsent.js';
import { mapStreamErrors } from '../edge/map-stream-errors.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';
import type { Work } from '../pipeline/work.js';
import type { MethodOperation } from './method-planner.js';

/** Runs one call of a decorated method through its pipeline. */
export function callMethod(
  operation: MethodOperation,
  work: MethodWork,
  self: object,
  args: unknown[],
): unknown {
  const { pipeline, returns, atEdge } = operation;
  if (returns === 'observable') {
    const stream = pipeline.stream(work, self, args);
    return atEdge === undefined
      ? stream
      : stream.pipe(mapStreamErrors((error) => atEdge(error, args)));
  }
  if (returns === 'async-generator') {
    const values = pipeline.generate(work, self, args);
    return atEdge === undefined ? values : mapErrorsOf(values, (error) => atEdge(error, args));
  }
  const result = pipeline.call(work, self, args);
  return atEdge === undefined ? result : mapErrors(result, (error) => atEdge(error, args));
}

/** A method, as its operation calls it. */
export class MethodWork implements Work {
  constructor(
    private readonly operation: MethodOperation,
    private readonly method: AnyMethod,
  ) {}

  begin(self: unknown, given: unknown[], attempt: AttemptContext): unknown {
    const { signals, returns } = this.operation;
    const args = signals.length === 0 ? given : withSignal(given, signals, attempt);
    const result = this.method.apply(self, args);
    return returns === 'promise' ? notObservable(result, this.operation) : result;
  }

  answerBy(fallback: FallbackPolicy, error: unknown, self: unknown, args: unknown[]): unknown {
    return fallback.run(error, self, args, this.method.length);
  }

  /** Of a handler: the request that it was called for may have been answered, in part at least. */
  isCommitted(request: Scope | undefined): boolean {
    return this.operation.responds && (request?.committed ?? false);
  }

  discard(answer: unknown): void {
    if (this.operation.responds) freeUnsent(answer);
  }
}

function withSignal(
  args: unknown[],
  positions: readonly number[],
  attempt: AttemptContext,
): unknown[] {
  const replaced = [...args];
  for (const position of positions) replaced[position] = attempt.signal;
  return replaced;
}

function notObservable(result: unknown, { pipeline }: MethodOperation): unknown {
  if (result instanceof Promise || !isObservable(result)) return result;
  throw new ResilienceConfigurationError(
    pipeline.plan.operation,
    'returns an Observable that it does not declare; annotate its return type: `: Observable<…>`, with Observable imported as a value (by `import type` it is lost)',
  );
}

async function mapErrors<T>(result: Promise<T>, map: ErrorMapping): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw (await map(error)) ?? error;
  }
}

/** The same for what an async generator throws. */
async function* mapErrorsOf<T, R, N>(
  values: AsyncGenerator<T, R, N>,
  map: ErrorMapping,
): AsyncGenerator<T, R, N> {
  try {
    return yield* values;
  } catch (error) {
    throw (await map(error)) ?? error;
  }
}
