import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import { MAX_TIMER_MS } from '../common/clock.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import {
  anyFunction,
  boolean,
  type Checker,
  checked,
  checkOptions,
  duration,
  isAsyncFunction,
  type Rule,
  type Rules,
  text,
} from '../common/options.js';

/** Which operations: at least one of the two, and where both are there, both have to fit. */
export type ChaosTarget =
  | {
      /** By their names: `*` stands for anything, as in `'PaymentsClient.*'`; or a RegExp. */
      operations: string | RegExp;
      /** Those that call this dependency, by `@Upstream(name)` or the bundle's `upstream`. */
      upstream?: string;
    }
  | { operations?: never; upstream: string };

/** How long the work is delayed, in ms: always as long, or evenly spread between two bounds. */
export type ChaosLatency = number | readonly [min: number, max: number];

/** What happens to an attempt: a delay before the method's work, and at most one thing in the place of it. */
export type ChaosFault =
  | {
      /** Before the method's work, which is done then; or before the error or the result. */
      latencyMs: ChaosLatency;
      error?: never;
      hang?: never;
      result?: never;
    }
  | {
      /**
       * It fails: `true` by a `ChaosError`, a function by what it returns or throws. That has to be new each
       * time, for all that is thrown of an object counts as chaos from then on. What is no object becomes
       * the `cause` of a `ChaosError`.
       */
      error: true | (() => unknown);
      latencyMs?: ChaosLatency;
      hang?: never;
      result?: never;
    }
  | {
      /** It never ends by itself: a timeout, its caller or its client cut it. */
      hang: true;
      latencyMs?: never;
      error?: never;
      result?: never;
    }
  | {
      /**
       * It succeeds by this, without having done anything. A function is called for it, each time, with the
       * arguments of the call; it may be async.
       */
      result: unknown;
      latencyMs?: ChaosLatency;
      error?: never;
      hang?: never;
    };

/** When it ends by itself; else somebody has to end it. */
export type ChaosEnd =
  | {
      /** So many ms after it was added. */
      forMs?: number;
      until?: never;
    }
  | { until?: Date; forMs?: never };

/** Something that goes wrong on purpose. */
export type ChaosRule = ChaosTarget &
  ChaosFault &
  ChaosEnd & {
    /** By which it is removed, and known in events. @default 'chaos-1' and so on */
    id?: string;
    /** The share of attempts that it happens to, from 0 to 1. @default 1, all of them */
    rate?: number;
  };

/** Whether a request may bring chaos along: asked for those only that have the header. */
export type ChaosGuard =
  | ((context: ExecutionContext) => boolean | Promise<boolean>)
  | CanActivate
  | Type<CanActivate>;

/** One request brings its own chaos along. */
export interface ChaosHeaderOptions {
  /** The header, or the key of the metadata of gRPC: `'x-chaos'`. */
  name: string;
  /**
   * Says `true` where the request may: a function, a guard, or the class of one. It is asked after the guards
   * of the handler, so that it knows who the user is; what it throws is a no.
   */
  allow: ChaosGuard;
}

/** Faults that are injected on purpose, to see whether what should protect from them does. */
export interface ChaosOptions {
  /** In force from the start. Of several that fit, the first that happens to hit is the one. @default none */
  rules?: ChaosRule[];
  /** @default none: no request can bring chaos along */
  header?: ChaosHeaderOptions;
  /** Without it, an application with `chaos` does not start where `NODE_ENV` is `production`. @default false */
  allowInProduction?: boolean;
  /** Decides what hits, and for how long it delays: a number from 0 to below 1. @default Math.random */
  random?: () => number;
}

/** All that a rule can say. */
interface Said {
  id?: unknown;
  operations?: unknown;
  upstream?: unknown;
  rate?: unknown;
  latencyMs?: unknown;
  error?: unknown;
  hang?: unknown;
  result?: unknown;
  forMs?: unknown;
  until?: unknown;
}

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= MAX_TIMER_MS;

const latency: Rule = (value, place) => {
  if (!Array.isArray(value)) return duration(value, place);
  const [min, max] = value as unknown[];
  return value.length === 2 && isTime(min) && isTime(max) && min <= max && max > 0
    ? undefined
    : `a number of milliseconds above 0, or two of them, the smaller one first: [100, 500]`;
};

const share: Rule = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1
    ? undefined
    : `a share from 0 to 1 (0.1 is every tenth attempt)`;

/** Called without `new`, it would throw. */
const isClass = (value: object): boolean =>
  /^class\b/.test(Function.prototype.toString.call(value));

const RULE_RULES: Rules<Said> = {
  id: (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= 100
      ? undefined
      : 'a non-empty string of at most 100 characters',
  operations: (value) =>
    value instanceof RegExp || text(value, '') === undefined
      ? undefined
      : "a RegExp, or a non-empty string in which * stands for anything: 'PaymentsClient.*'",
  upstream: text,
  rate: share,
  latencyMs: latency,
  error: (value) =>
    value === true || (typeof value === 'function' && !isAsyncFunction(value) && !isClass(value))
      ? undefined
      : 'true, or a function that returns the error at once (no class, and not async): () => new Error()',
  hang: (value) => (value === true ? undefined : 'true; leave it out where nothing is to hang'),
  result: () => undefined,
  forMs: duration,
  until: (value) =>
    value instanceof Date && !Number.isNaN(value.getTime()) ? undefined : 'a valid Date',
};

const IN_PLACE = ['error', 'hang', 'result'] as const;

/** @throws ResilienceConfigurationError */
export function checkChaosRule(place: string, value: unknown): ChaosRule {
  const rule = checkOptions<Said>(place, value, RULE_RULES);
  const wrong = (problem: string) => new ResilienceConfigurationError(place, problem);
  if (rule.operations === undefined && rule.upstream === undefined)
    throw wrong("says of no operation; allowed: operations: 'PaymentsClient.*', upstream, or both");
  const instead = IN_PLACE.filter((effect) => rule[effect] !== undefined);
  if (instead.length > 1)
    throw wrong(`has ${instead.join(' and ')}, which contradict each other; allowed: one of them`);
  if (rule.hang !== undefined && rule.latencyMs !== undefined)
    throw wrong('has hang and latencyMs, but what hangs never comes; allowed: one of them');
  if (instead.length === 0 && rule.latencyMs === undefined)
    throw wrong('does nothing; allowed: latencyMs, error, hang or result');
  if (rule.forMs !== undefined && rule.until !== undefined)
    throw wrong('has forMs and until; allowed: one of them');
  return rule as ChaosRule;
}

const isGuard = (value: unknown): boolean => {
  const guard = typeof value === 'function' ? (value.prototype as unknown) : value;
  return typeof (guard as Partial<CanActivate> | null | undefined)?.canActivate === 'function';
};

const HEADER_RULES: Rules<ChaosHeaderOptions> = {
  name: (value) =>
    typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(value)
      ? undefined
      : "the name of a header, such as 'x-chaos'",
  allow: (value) =>
    (typeof value === 'function' && !isClass(value)) || isGuard(value)
      ? undefined
      : 'a function that says true where a request may, a guard, or the class of one',
};

const checkHeader: Checker<ChaosHeaderOptions> = (place, value) => {
  const header = checkOptions<ChaosHeaderOptions>(place, value, HEADER_RULES, undefined);
  for (const key of ['name', 'allow'] as const)
    if (header[key] === undefined)
      throw new ResilienceConfigurationError(
        place,
        `has no ${key}; allowed: { name: 'x-chaos', allow } where allow says which requests may`,
      );
  return header;
};

const checkRules: Rule = (value, place) => {
  if (!Array.isArray(value)) return 'an array of rules';
  const ids = new Set<string>();
  for (const [index, each] of value.entries()) {
    const { id } = checkChaosRule(`${place}[${index}]`, each);
    if (id !== undefined && ids.has(id))
      throw new ResilienceConfigurationError(
        `${place}[${index}].id`,
        `is ${display(id)}, as that of another rule; allowed: another one`,
      );
    if (id !== undefined) ids.add(id);
  }
  return undefined;
};

const RULES: Rules<ChaosOptions> = {
  rules: checkRules,
  header: checked(checkHeader),
  allowInProduction: boolean,
  random: anyFunction,
};

/** @throws ResilienceConfigurationError, also in production without `allowInProduction` */
export function checkChaosOptions(place: string, value: unknown): ChaosOptions {
  const options = checkOptions<ChaosOptions>(place, value, RULES);
  checkEnvironment(place, options);
  return options;
}

/** @throws ResilienceConfigurationError in production without `allowInProduction` */
export function checkEnvironment(place: string, { allowInProduction }: ChaosOptions): void {
  if (process.env.NODE_ENV !== 'production' || allowInProduction === true) return;
  throw new ResilienceConfigurationError(
    place,
    'NODE_ENV is production; allowed: no chaos there, or chaos: { allowInProduction: true } where it is meant',
  );
}
