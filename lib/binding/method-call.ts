import { isObservable } from 'rxjs';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { enclosingScope } from '../context/ambient.js';
import type { AttemptContext } from '../context/scope.js';
import type { AnyMethod } from '../dispatch/method-definition.js';
import { freeUnsent } from '../edge/free-unsent.js';
import { mapStreamErrors } from '../edge/map-stream-errors.js';
import type { Origin } from '../pipeline/execution.js';
import type { MethodOperation } from './method-planner.js';

/** Runs one call of a decorated method through its pipeline. */
export function callMethod(
  operation: MethodOperation,
  method: AnyMethod,
  self: object,
  args: unknown[],
): unknown {
  const { pipeline, returns, signals, responds, atEdge } = operation;
  const made: Origin = { self, args, arity: method.length };
  const origin = responds ? { ...made, committed: isCommitted(), discard: freeUnsent } : made;
  const call = (attempt: AttemptContext) =>
    method.apply(self, signals.length === 0 ? args : withSignal(args, signals, attempt));
  if (returns === 'observable') {
    const stream = pipeline.stream(call, origin);
    return atEdge === undefined
      ? stream
      : stream.pipe(mapStreamErrors((error) => atEdge(error, args)));
  }
  if (returns === 'async-generator') {
    const values = pipeline.generate((attempt) => call(attempt) as AsyncGenerator<unknown>, origin);
    return atEdge === undefined ? values : mapErrorsOf(values, (error) => atEdge(error, args));
  }
  const result = pipeline.call((attempt) => notObservable(call(attempt), operation), origin);
  return atEdge === undefined ? result : mapErrors(result, (error) => atEdge(error, args));
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

/** Asks whether the request that the call is made for has been answered, in part at least. */
function isCommitted(): () => boolean {
  const request = enclosingScope();
  return () => request?.committed ?? false;
}

async function mapErrors<T>(
  result: Promise<T>,
  map: (error: unknown) => Promise<unknown>,
): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw await map(error);
  }
}

/** The same for what an async generator throws. */
async function* mapErrorsOf<T>(
  values: AsyncGenerator<T>,
  map: (error: unknown) => Promise<unknown>,
): AsyncGenerator<T> {
  try {
    yield* values;
  } catch (error) {
    throw await map(error);
  }
}
