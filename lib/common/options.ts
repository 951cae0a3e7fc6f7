import {
  display,
  displayThrown,
  kindOf,
  ResilienceConfigurationError,
} from './configuration.error.js';
import { isSecretName } from './secret-names.js';
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
    const shown = isSecretName(place) ? kindOf(options) : display(options);
    throw new ResilienceConfigurationError(
      place,
      `is ${shown}; allowed: an object with ${Object.keys(rules).join(', ')}${meant}`,
    );
  }
  const entries = entriesIn(place, options);
  for (const [key, value] of entries) {
    if (!Object.hasOwn(rules, key))
      throw ResilienceConfigurationError.unknownOption(within(place, key), key, Object.keys(rules));
    if (value !== undefined) check(within(place, key), value, rules[key as keyof T]);
  }
  checkNothingInherited(place, options, Object.keys(rules));
  return defined(Object.fromEntries(entries) as T);
}

/** Also one of a class, but none whose content is elsewhere than in its properties, such as a Map. */
export function isObject(value: unknown): value is Record<string, unknown> {
  try {
    return Object.prototype.toString.call(value) === '[object Object]';
  } catch {
    return false; // a proxy
  }
}

/**
 * What an object says by name.
 *
 * @throws ResilienceConfigurationError where a getter or a proxy refuses to tell it
 */
export function entriesIn(place: string, object: object): [string, unknown][] {
  let at = place;
  try {
    return Object.keys(object).map((key) => {
      at = within(place, key);
      return [key, (object as Record<string, unknown>)[key]];
    });
  } catch (cause) {
    const problem = `cannot be read: ${displayThrown(cause)}; allowed: a property that answers`;
    throw new ResilienceConfigurationError(at, problem, { cause });
  }
}

/** Getters and methods of a class are no properties of its objects, and would be passed over in silence. */
function checkNothingInherited(place: string, options: object, keys: readonly string[]): void {
  for (const key of keys)
    if (key in options && !Object.prototype.propertyIsEnumerable.call(options, key))
      throw new ResilienceConfigurationError(
        within(place, key),
        'is a getter or a method of a class, or inherited, which is not read; allowed: a property of the object itself',
      );
}

function within(place: string, key: string): string {
  const name = key.trim() === '' ? display(key) : key;
  return place === '' ? name : `${place}.${name}`;
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
