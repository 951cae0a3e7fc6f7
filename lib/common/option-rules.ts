import { isAsyncFunction } from './answers.js';
import { MAX_TIMER_MS } from './clock.js';
import { type Checker, checked, type Rule } from './options.js';

export const duration: Rule<number> = numberRule(
  (n) => n > 0 && n <= MAX_TIMER_MS,
  `a number of milliseconds above 0 and at most ${MAX_TIMER_MS}`,
);
export const durationOrZero: Rule<number> = numberRule(
  (n) => n >= 0 && n <= MAX_TIMER_MS,
  `a number of milliseconds from 0 to ${MAX_TIMER_MS}`,
);
export const positiveCount: Rule<number> = countRule(1);
export const countOrZero: Rule<number> = countRule(0);
export const percentage: Rule<number> = numberRule(
  (n) => n > 0 && n <= 100,
  'a percentage above 0 and at most 100',
);
export const factorRule: Rule<number> = numberRule(
  (n) => n >= 1 && Number.isFinite(n),
  'a finite number of at least 1',
);
export const nonNegative: Rule<number> = numberRule(
  (n) => n >= 0 && Number.isFinite(n),
  'a finite number of at least 0',
);
export const boolean: Rule<boolean> = (value) =>
  typeof value === 'boolean' ? undefined : 'true or false';
export const text: Rule<string> = (value) =>
  typeof value === 'string' && value.trim() !== '' ? undefined : 'a non-empty string';
/** What is called of an object: one of its methods, or a function. */
export const methodOrFunction: Rule = (value) =>
  typeof value === 'function' || typeof value === 'symbol' || text(value, '') === undefined
    ? undefined
    : 'the name of a method of the same class, or a function';
export const anyFunction: Rule = (value) =>
  typeof value === 'function' ? undefined : 'a function';

/** A function whose answer is needed at once: a promise would always count as `true`. */
export const predicate: Rule = (value) =>
  typeof value === 'function' && !isAsyncFunction(value)
    ? undefined
    : 'a function that returns its answer at once (not an async one)';

/** (`& object` keeps TypeScript from taking the value's type from where the rule goes.) */
export function oneOf<const Value extends string>(...allowed: Value[]): Rule<Value> & object {
  return (value) =>
    allowed.includes(value as Value) ? undefined : allowed.map((name) => `'${name}'`).join(' | ');
}

/** A rule for the name of something, or for its options. */
export function nameOr(checker: Checker): Rule {
  const options = checked(checker);
  return (value, place) => (typeof value === 'string' ? text : options)(value, place);
}

/** Percentages run from 0 to 100: what to say of one that looks like a fraction. */
export function fractionDoubt(
  place: string,
  option: string,
  percentage: number | undefined,
): string[] {
  if (percentage === undefined || percentage > 1) return [];
  const meant = Number((percentage * 100).toPrecision(6));
  const share = percentage === 0.5 ? 'half a percent' : `${percentage} percent`;
  return [`${place}: ${option} ${percentage} is ${share}; did you mean ${meant}?`];
}

function countRule(minimum: number): Rule<number> {
  return numberRule(
    (n) => Number.isInteger(n) && n >= minimum && n <= 1_000_000,
    `a whole number from ${minimum} to 1000000`,
  );
}

function numberRule(allows: (value: number) => boolean, allowed: string): Rule<number> {
  return (value) => (typeof value === 'number' && allows(value) ? undefined : allowed);
}

/** Rules for the options of stages of one's own. */
export const rules = {
  /** `true` or `false`. */
  boolean,
  /** A whole number from 1. */
  count: positiveCount,
  /** A whole number from 0. */
  countOrZero,
  /** A time in ms, above 0, that timers can wait for. */
  duration,
  /** A time in ms, or 0. */
  durationOrZero,
  /** One of the given texts: `rules.oneOf('none', 'full')`. */
  oneOf,
  /** A percentage, above 0 and at most 100. */
  percentage,
  /** A text that is not empty. */
  text,
};
