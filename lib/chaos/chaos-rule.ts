import { isAsyncFunction, isClass } from '../common/answers.js';
import { MAX_TIMER_MS } from '../common/clock.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { duration, text } from '../common/option-rules.js';
import { checkOptions, type Rule, type Rules } from '../common/options.js';

/** Which operations: at least one of the two, and where both are there, both have to fit. */
export type ChaosTarget =
  | {
      /** By their names: `*` stands for anything, as in `'PaymentsClient.*'`; or a RegExp. */
      operations: string | RegExp;
      /** Those that call this dependency, by `@Upstream(name)` or the bundle's `upstream`. */
      upstream?: string;
    }
  | {
      /** Not together with `upstream`. */
      operations?: never;
      /** All operations of this dependency, by `@Upstream()`. */
      upstream: string;
    };

/** How long the work is delayed, in ms: always as long, or evenly spread between two bounds. */
export type ChaosLatency = number | readonly [min: number, max: number];

/** What happens to an attempt: a delay before the method's work, and at most one thing in the place of it. */
export type ChaosFault =
  | {
      /** Before the method's work, which is done then; or before the error or the result. */
      latencyMs: ChaosLatency;
      /** Not together with another fault. */
      error?: never;
      /** Not together with another fault. */
      hang?: never;
      /** Not together with another fault. */
      result?: never;
    }
  | {
      /**
       * It fails: `true` by a `ChaosError`, a function by what it returns or throws. That has to be new each
       * time, for all that is thrown of an object counts as chaos from then on. What is no object becomes
       * the `cause` of a `ChaosError`.
       */
      error: true | (() => unknown);
      /** How much longer calls take, in ms. */
      latencyMs?: ChaosLatency;
      /** Not together with another fault. */
      hang?: never;
      /** Not together with another fault. */
      result?: never;
    }
  | {
      /**
       * It hangs until a timeout, its caller or its client cut it. Where the rule ends before, it goes on to its
       * work; where the application closes, it fails by a `ChaosError`.
       */
      hang: true;
      /** Not where calls hang: these never end by themselves. */
      latencyMs?: never;
      /** Not together with another fault. */
      error?: never;
      /** Not together with another fault. */
      result?: never;
    }
  | {
      /**
       * It succeeds by this, without having done anything. A function is called for it, each time, with the
       * arguments of the call; it may be async.
       */
      result: unknown;
      /** How much longer calls take, in ms. */
      latencyMs?: ChaosLatency;
      /** Not together with another fault. */
      error?: never;
      /** Not together with another fault. */
      hang?: never;
    };

/** When it ends by itself; else somebody has to end it. */
export type ChaosEnd =
  | {
      /** So many ms after it was added. */
      forMs?: number;
      /** Not together with `forMs`. */
      until?: never;
    }
  | {
      /** When the rule ends. */
      until?: Date;
      /** Not together with `until`. */
      forMs?: never;
    };

/** Something that goes wrong on purpose. */
export type ChaosRule = ChaosTarget &
  ChaosFault &
  ChaosEnd & {
    /** By which it is removed, and known in events. @default 'chaos-1' and so on */
    id?: string;
    /** The share of attempts that it happens to, from 0 to 1. @default 1, all of them */
    rate?: number;
  };

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
