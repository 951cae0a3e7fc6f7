import type { Observable } from 'rxjs';
import type { AnyMethod } from '../common/class.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { AttemptContext, Scope } from '../context/scope.js';
import type { ErrorMapping } from '../edge/edge-errors.js';
import { mapStreamErrors } from '../edge/map-stream-errors.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';
import type { Work } from '../pipeline/work.js';
import type { MethodOperation } from './method-planner.js';
import { callEitherWay, returnsStream } from './undeclared-result.js';

/** Runs one call of a decorated method through its pipeline. */
export function callMethod(
  operation: MethodOperation,
  work: MethodWork,
  self: object,
  args: unknown[],
): unknown {
  const { returns } = operation;
  if (returns === 'promise') return callForPromise(operation, work, self, args);
  if (returns === 'observable') return callForStream(operation, work, self, args);
  if (returns === 'undeclared') return callUndeclared(operation, work, self, args);
  return callForValues(operation, work, self, args);
}

/** As an async generator. */
function callForValues(
  { pipeline, atEdge }: MethodOperation,
  work: MethodWork,
  self: object,
  args: unknown[],
): AsyncGenerator<unknown> {
  const values = pipeline.generate(work, self, args);
  return atEdge === undefined ? values : mapErrorsOf(values, (error) => atEdge(error, args));
}

function callForPromise(
  operation: MethodOperation,
  work: MethodWork,
  self: object,
  args: unknown[],
): Promise<unknown> {
  const result = promiseOf(operation, work, self, args);
  const { surprise } = work;
  if (surprise === undefined) return result;
  work.surprise = undefined;
  result.catch(() => undefined); // whoever expects an Observable would not look at it
  throw surprise;
}

function promiseOf(
  { pipeline, atEdge }: MethodOperation,
  work: Work,
  self: object,
  args: unknown[],
  signal?: AbortSignal,
): Promise<unknown> {
  const result = pipeline.call(work, self, args, signal);
  return atEdge === undefined ? result : mapErrors(result, atEdge, args);
}

function callForStream(
  { pipeline, atEdge }: MethodOperation,
  work: Work,
  self: object,
  args: unknown[],
): Observable<unknown> {
  const stream = pipeline.stream(work, self, args);
  return atEdge === undefined
    ? stream
    : stream.pipe(mapStreamErrors((error) => atEdge(error, args)));
}

/** By what the method has returned before, if anything. */
function callUndeclared(
  operation: MethodOperation,
  work: MethodWork,
  self: object,
  args: unknown[],
): unknown {
  if (work.returned === 'promise') return callForPromise(operation, work, self, args);
  if (work.returned === 'observable') return callForStream(operation, work, self, args);
  return callEitherWay(operation, work, {
    stream: () => callForStream(operation, work, self, args),
    promise: (probing, signal) => promiseOf(operation, probing, self, args, signal),
  });
}

/** A method, as its operation calls it. */
export class MethodWork implements Work {
  /** What it has returned so far, of a method that does not declare it. */
  returned: 'promise' | 'observable' | 'either' | undefined = undefined;
  /** That it has returned an Observable where a Promise was expected, until its caller is told. */
  surprise: ResilienceConfigurationError | undefined = undefined;

  readonly needsScope: boolean;

  constructor(
    private readonly operation: MethodOperation,
    private readonly method: AnyMethod,
  ) {
    this.needsScope = operation.signals.length > 0 || operation.mayCallItself;
  }

  begin(self: unknown, given: unknown[], attempt: AttemptContext): unknown {
    const { signals, returns } = this.operation;
    const args = signals.length === 0 ? given : withSignal(given, signals, attempt);
    const result = this.method.apply(self, args);
    if (returns === 'promise' || returns === 'undeclared') this.learn(result);
    return result;
  }

  /** @throws ResilienceConfigurationError where it returns an Observable and a Promise was expected */
  private learn(result: unknown): void {
    const { operation, returned } = this;
    const is = returnsStream(result) ? 'observable' : 'promise';
    const expected = operation.returns === 'promise' ? 'promise' : returned;
    if (is === expected) return;
    if (operation.returns === 'undeclared') this.returned = expected === undefined ? is : 'either';
    if (is !== 'observable' || expected !== 'promise') return;
    this.surprise = new ResilienceConfigurationError(
      operation.pipeline.plan.operation,
      'returns an Observable that it does not declare; annotate its return type: `: Observable<…>`, with Observable imported as a value (by `import type` it is lost)',
    );
    throw this.surprise;
  }

  answerBy(fallback: FallbackPolicy, error: unknown, self: unknown, args: unknown[]): unknown {
    return fallback.run(error, self, args, this.method.length);
  }

  /** Of a handler: the request that it was called for may have been answered, in part at least. */
  isCommitted(request: Scope | undefined): boolean {
    return this.operation.responds && (request?.committed ?? false);
  }

  mayRepeat(args: unknown[], request: Scope | undefined): boolean {
    return this.operation.isSafeCall?.(args, request) ?? true;
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

async function mapErrors<T>(
  result: Promise<T>,
  atEdge: NonNullable<MethodOperation['atEdge']>,
  args: readonly unknown[],
): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw (await atEdge(error, args)) ?? error;
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
