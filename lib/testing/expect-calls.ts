import { inspect, isDeepStrictEqual } from 'node:util';
import { ResilienceConfigurationError } from '../index.js';
import { benchOf, type Callee } from './application-bench.js';
import type { CallOutcome, CallRecord } from './call-records.js';
import { check, counted } from './check.js';

/** What is expected of calls. Beside `calls`, each of them has to be so. */
export interface ExpectedCalls {
  /** How many calls were made. */
  calls?: number;
  /** How many attempts each of them made; hedges belong to their attempt. */
  attempts?: number;
  /**
   * How long each of them waited before each retry, in ms. It is compared exactly, so the retries need
   * `jitter: 'none'` or `delayMs`.
   */
  delaysMs?: readonly number[];
  /** How each of them ended. */
  outcome?: CallOutcome;
  /** What each of them answered: deeply equal, as data (classes do not matter). */
  result?: unknown;
  /** What each of them failed by: the class of the error, or the error itself. */
  error?: unknown;
  /** What stages decided about each of them: the types of its events, in order, such as `retry`. */
  decisions?: readonly string[];
}

const FIELDS = ['attempts', 'delaysMs', 'outcome', 'result', 'error', 'decisions'] as const;

const MOCKED =
  ': a mock stands in the place of the method, and so of its stages; mock instead what the method calls';

/** The calls of a method so far. */
export class CallsExpectation {
  /** The calls in the order in which they were made, for assertions of your own. */
  readonly calls: readonly CallRecord[];

  /** @internal */
  constructor(
    private readonly operation: string,
    calls: readonly CallRecord[],
    private readonly isMocked = false,
  ) {
    this.calls = calls;
  }

  /**
   * Asserts how they went.
   *
   * @throws AssertionError with how they went in truth
   *
   * @example
   * expectCalls(payments, 'charge').toHave({ calls: 1, attempts: 3, delaysMs: [100, 200], outcome: 'success' })
   */
  toHave(expected: ExpectedCalls): void {
    const { calls, operation } = this;
    const wrong = Object.keys(expected).find(
      (field) => field !== 'calls' && !(FIELDS as readonly string[]).includes(field),
    );
    if (wrong !== undefined)
      throw new ResilienceConfigurationError(
        `toHave().${wrong}`,
        `there is no such field; known: calls, ${FIELDS.join(', ')}`,
      );
    const fields = FIELDS.filter((field) => field in expected);
    const count = expected.calls ?? Math.max(1, calls.length);
    const each = Object.fromEntries(fields.map((field) => [field, expected[field]]));
    const holds =
      calls.length === count &&
      calls.every((call) => fields.every((field) => isAsExpected(field, call, expected)));
    check(
      holds,
      `${operation} was to have ${inspect(expected, { breakLength: 100 })}, and had ${counted(calls.length, 'call')}${this.isMocked && calls.length === 0 ? MOCKED : toldOf(calls, fields)}`,
      {
        actual: calls.map((call) =>
          Object.fromEntries(fields.map((field) => [field, call[field]])),
        ),
        expected: Array.from({ length: count }, () => each),
        operator: 'toHave',
      },
      this.toHave,
    );
  }
}

/**
 * The name of a method of an object, or of the objects of a class. `T` stands alone among the parameters of
 * `expectCalls()`, so that it is known of `moduleRef.get(PaymentsService)` too.
 */
export type MethodOf<T> = Extract<
  keyof (T extends abstract new (...args: never[]) => infer Instance ? Instance : T),
  string
>;

/**
 * The calls of a decorated method so far, also of one in another module; in an application with
 * `ResilienceTestingModule`.
 *
 * @param of an object of the application's, or its class: then of the application that was set up last
 * @throws ResilienceConfigurationError where the object is of no such application, or the method is not decorated
 */
export function expectCalls<T>(of: T, method: MethodOf<T>): CallsExpectation;
/**
 * The calls of an operation so far that is no method: a bundle, or a pipeline.
 *
 * @param operation its name
 * @throws ResilienceConfigurationError where there is no such operation
 */
export function expectCalls(operation: string): CallsExpectation;
export function expectCalls(of: Callee | string, method?: string): CallsExpectation {
  const place = 'expectCalls()';
  const bench = benchOf(of, place);
  if (typeof of === 'string') bench.checkOperation(of, place);
  if (typeof of === 'string') return new CallsExpectation(of, bench.calls.of(of));
  const operation = bench.operationOf(of, method as string, place);
  return new CallsExpectation(operation, bench.calls.of(operation), isMock(of, method as string));
}

/** Jest, Vitest and `node:test` keep there what they know of a mock. */
function isMock(of: Callee, method: string): boolean {
  const owner = (typeof of === 'function' ? of.prototype : of) as Record<
    string,
    object | undefined
  >;
  return 'mock' in (owner[method] ?? {});
}

function isAsExpected(
  field: (typeof FIELDS)[number],
  call: CallRecord,
  expected: ExpectedCalls,
): boolean {
  const [actual, wanted] = [call[field], expected[field]];
  if (field === 'error' && typeof wanted === 'function') return isOfClass(actual, wanted);
  return isDeepStrictEqual(actual, wanted) || isCopyOf(actual, wanted);
}

/** Of plain data from another realm, as what `fetch` reads in Jest, nothing but the prototypes differs. */
function isCopyOf(actual: unknown, wanted: unknown): boolean {
  try {
    return isDeepStrictEqual(structuredClone(actual), structuredClone(wanted));
  } catch {
    return false; // functions, for instance, are no data
  }
}

/** By its name too: Jest runs tests in a realm of their own, and what Node throws is of no class of that. */
function isOfClass(
  value: unknown,
  { name, prototype }: { name: string; prototype?: unknown },
): boolean {
  let at: unknown =
    typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : null;
  while (at !== null && at !== prototype && (at as object).constructor.name !== name)
    at = Object.getPrototypeOf(at);
  return at !== null;
}

/** What is always told of a call, beside what was asked for. */
const TOLD = ['attempts', 'delaysMs', 'outcome', 'decisions'] as const;

/** So many calls are told one by one. */
const MAX_TOLD = 20;

function toldOf(calls: readonly CallRecord[], asked: readonly (typeof FIELDS)[number][]): string {
  const told = calls.slice(0, MAX_TOLD).map((call) => {
    const { error } = call;
    const shown = [...TOLD, ...asked.filter((field) => field === 'result')];
    return inspect(
      {
        ...Object.fromEntries(shown.map((field) => [field, call[field]])),
        ...(error !== undefined && { error: String(error) }),
      },
      { breakLength: Number.POSITIVE_INFINITY },
    );
  });
  const left = calls.length - told.length;
  if (left > 0) told.push(`and ${left} more`);
  return told.length === 0 ? '' : `:\n  ${told.join('\n  ')}`;
}
