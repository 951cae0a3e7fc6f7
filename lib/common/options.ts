import { MAX_TIMER_MS } from './clock.js';
import { display, kindOf, ResilienceConfigurationError } from './configuration.error.js';
import { read } from './read.js';
import { numberMeant } from './spelling.js';

/** Says what is allowed where `value` is not; `undefined` where it is fine. */
export interface Rule<Value = unknown> {
  (value: unknown, place: string): string | undefined;
  /** Of types only: what it allows. */
  readonly allows?: Value;
}

/** A rule for each option that there is. */
export type Rules<T extends object> = Record<keyof T, Rule>;

/**
 * Checks an options object against its rules.
 *
 * @param main the option that a number in place of the options was probably meant for
 * @returns a copy without the keys that are `undefined`, which must not erase a default
 * @throws ResilienceConfigurationError on the first value that is not allowed
 */
export function checkOptions<T extends object>(
  place: string,
  options: unknown,
  rules: Rules<T>,
  main?: keyof T & string,
): T {
  if (!isObject(options)) {
    const number = numberMeant(options);
    const isMeant =
      main !== undefined && number !== undefined && rules[main](number, place) === undefined;
    const meant = isMeant ? `; did you mean { ${main}: ${number} }?` : '';
    throw new ResilienceConfigurationError(
      place,
      `is ${display(options)}; allowed: an object with ${Object.keys(rules).join(', ')}${meant}`,
    );
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, key))
      throw ResilienceConfigurationError.unknownOption(within(place, key), key, Object.keys(rules));
    if (value !== undefined) check(within(place, key), value, rules[key as keyof T]);
  }
  return defined(options as T);
}

/** Also one of a class, but none whose content is elsewhere than in its properties, such as a Map. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function within(place: string, key: string): string {
  return place === '' ? key : `${place}.${key}`;
}

/** @throws ResilienceConfigurationError where the rule does not allow the value */
export function check(place: string, value: unknown, rule: Rule): void {
  const allowed = rule(value, place);
  if (allowed !== undefined) {
    throw new ResilienceConfigurationError(
      place,
      `is ${display(value)}; allowed: ${allowed}${hintAt(value, rule, place)}`,
    );
  }
}

/** What to write instead of a text, as environment variables have them, and where NaN comes from. */
function hintAt(value: unknown, rule: Rule, place: string): string {
  if (Number.isNaN(value)) return '; Number() makes NaN of an environment variable that is not set';
  if (typeof value !== 'string') return '';
  if (/^(true|false)$/i.test(value))
    return rule(/true/i.test(value), place) === undefined
      ? `; pass the boolean ${value.toLowerCase()}`
      : '';
  const number = numberMeant(value);
  return number !== undefined && rule(number, place) === undefined
    ? `; pass the number ${number}`
    : '';
}

/** The same rule for a value in which there may be secrets: the message does not show it. */
export function unshown(rule: Rule): Rule {
  return (value, place) => {
    const allowed = rule(value, place);
    if (allowed === undefined) return undefined;
    throw new ResilienceConfigurationError(place, `is ${kindOf(value)}; allowed: ${allowed}`);
  };
}

/** The options that are given: `undefined` means "not given". */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}

/** Later layers win field by field. */
export function merge<T extends object>(...layers: (T | undefined)[]): T {
  return Object.assign(
    {},
    ...layers.map((layer) => (layer === undefined ? {} : defined(layer))),
  ) as T;
}

/** The same where one option takes the place of others, which exclude it. */
export function mergeEither<T extends object>(
  layers: readonly (T | undefined)[],
  one: keyof T,
  ...others: (keyof T)[]
): T {
  return layers.reduce<T>((below, layer) => {
    const merged = merge(below, layer);
    for (const other of others) {
      if (layer?.[one] !== undefined && layer[other] === undefined) delete merged[other];
      if (layer?.[other] !== undefined && layer[one] === undefined) delete merged[one];
    }
    return merged;
  }, {} as T);
}

/**
 * The same for options that many things are made with: frozen ones are looked at once.
 *
 * @param read checks them, and says what follows from them
 */
export function remembering<O extends object, R>(
  read: (place: string, options: O) => R,
): (place: string, options: O) => R {
  const known = new WeakMap<O, R>();
  return (place, options) => {
    const before = known.get(options);
    if (before !== undefined) return before;
    const result = read(place, options);
    if (Object.isFrozen(options)) known.set(options, result);
    return result;
  };
}

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

/**
 * What a user's predicate answers.
 *
 * @param of whose predicate it is, with the place of its options, and `option` its name among them
 * @throws what the predicate throws; a ResilienceConfigurationError when it answers with a promise
 */
export function ask(of: { readonly place: string }, option: string, answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  if (isPromise(answer))
    throw new ResilienceConfigurationError(
      `${of.place}.${option}`,
      `answered ${displayAnswer(answer)}; allowed: true or false`,
    );
  return Boolean(answer);
}

/** What a user's function answered and must not, for messages. A promise of it is nobody's any more. */
export function displayAnswer(answer: unknown): string {
  if (!isPromise(answer)) return display(answer);
  drop(answer);
  return 'a promise; it has to answer at once';
}

/** Whether it is one where an answer is needed at once. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof read(value, 'then') === 'function';
}

/** Its rejection is nobody else's, and must not end the process. */
export function drop(answer: PromiseLike<unknown>): void {
  Promise.resolve(answer).catch(() => undefined);
}

export function isAsyncFunction(value: unknown): boolean {
  return typeof value === 'function' && value.constructor.name === 'AsyncFunction';
}

/** Called without `new`, it would throw. */
export function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Checks what is said at a place. It throws a ResilienceConfigurationError where that is not allowed. */
export type Checker<Value = unknown> = (place: string, value: unknown) => Value;

/** The checker of options with such rules; see `checkOptions()`. */
export function checkerOf<T extends object>(rules: Rules<T>, main?: keyof T & string): Checker<T> {
  return (place, options) => checkOptions<T>(place, options, rules, main);
}

/** A rule for what has a checker of its own, which says more exactly what is wrong. */
export function checked(checker: Checker): Rule {
  return (value, place) => {
    checker(place, value);
    return undefined;
  };
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
