import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { PolicyKey } from '../common/keyed-policies.js';
import { boolean, duration, positiveCount, predicate, text } from '../common/option-rules.js';
import { type Checker, checkOptions, entriesIn, isObject, type Rules } from '../common/options.js';

/**
 * Tells whom a call is for, by its arguments: its tenant, host or shard. `this` is the object whose method
 * is called. It answers at once, with a text that is not empty, or a finite number; a call for which it
 * throws, or answers anything else, fails by a `ResilienceConfigurationError`.
 */
// biome-ignore lint/suspicious/noExplicitAny: the objects and arguments of whatever operations
export type KeyFunction = (this: any, ...args: any[]) => PolicyKey;

/** Beside the options of what can be kept by key. */
export interface KeyedOptions<Key extends KeyFunction = KeyFunction> {
  /** Each key has an instance of its own, whose state is its own. @default one for all calls */
  key?: Key;
  /**
   * How many instances are kept, at least 1. Where there are more keys, the one that has been idle longest
   * goes, but none that a call is in, and none whose state would be lost: an open breaker, for instance.
   * Where all have to stay, the keys that are too much share one. @default 1000
   */
  maxKeys?: number;
  /** How long an instance may be idle until it is forgotten, in ms. @default 600000 */
  idleMs?: number;
  /**
   * Whether each instance has series of its own in the metrics, under its name with the key
   * (`partner[acme]`), which go when it is forgotten. @default false: they add up under the name
   */
  keyLabel?: boolean;
}

/** Options of which each key can have an instance of its own. */
export type Keyable<Options extends object, Key extends KeyFunction = KeyFunction> = Options &
  KeyedOptions<Key>;

/** Beside the name of something, which each key has one of. */
export type ByKeyOptions<Key extends KeyFunction = KeyFunction> = Required<
  Pick<KeyedOptions<Key>, 'key'>
>;

/** What has a name, by key. */
export interface KeyedReference extends ByKeyOptions {
  /** The name of what each key has one of. */
  name: string;
}

/** The options in force. */
export type ResolvedKeyedOptions = Required<Omit<KeyedOptions, 'key'>>;

const KEYED_RULES: Rules<KeyedOptions> = {
  key: predicate,
  maxKeys: positiveCount,
  idleMs: duration,
  keyLabel: boolean,
};

const REFERENCE_RULES: Rules<KeyedReference> = { name: text, key: predicate };

/** What a decorator says: something by its name, by key where it says so, or options. */
export function named<O>(
  said: string | O,
  keyed: ByKeyOptions | undefined,
): string | O | (Partial<KeyedReference> & ByKeyOptions) {
  return keyed === undefined ? said : { ...keyed, key: keyed.key, name: said as string };
}

/** Whether it refers to something with a name, by key. */
export function isReference(said: unknown): said is KeyedReference {
  return isObject(said) && 'name' in said && 'key' in said;
}

/** @throws ResilienceConfigurationError */
export function checkReference(place: string, said: KeyedReference): KeyedReference {
  const { name, key } = checkOptions<KeyedReference>(place, said, REFERENCE_RULES);
  if (name !== undefined && key !== undefined) return { name, key };
  throw new ResilienceConfigurationError(
    place,
    `has no ${name === undefined ? 'name' : 'key'}; allowed: a name, and a function that answers the key of a call`,
  );
}

/** The checker of options that may be kept by key, where `checker` knows the others. */
export function keyable<O extends object>(checker: Checker<O>): Checker<Keyable<O>> {
  return (place, said) => {
    if (!isObject(said)) return checker(place, said);
    const parts = splitKeyed<object>(Object.fromEntries(entriesIn(place, said)));
    // What is inherited is for the rules to refuse.
    for (const part of parts) Object.setPrototypeOf(part, Object.getPrototypeOf(said) as object);
    const [keyed, rest] = parts;
    try {
      return {
        ...checker(place, rest),
        ...checkOptions<KeyedOptions>(place, keyed, KEYED_RULES),
      };
    } catch (error) {
      throw error instanceof ResilienceConfigurationError
        ? error.alsoKnowing(place, Object.keys(KEYED_RULES))
        : error;
    }
  };
}

/** What options say of the keys, and what they say beside it. */
export function splitKeyed<O extends object>(options: Keyable<O>): [KeyedOptions, O] {
  const isKeyed = ([option]: [string, unknown]) => Object.hasOwn(KEYED_RULES, option);
  const entries = Object.entries(options);
  return [
    Object.fromEntries(entries.filter(isKeyed)),
    Object.fromEntries(entries.filter((entry) => !isKeyed(entry))) as O,
  ];
}

export function resolveKeyedOptions({
  maxKeys = 1_000,
  idleMs = 600_000,
  keyLabel = false,
}: KeyedOptions): ResolvedKeyedOptions {
  return { maxKeys, idleMs, keyLabel };
}

/** The first of them that means nothing without a key. */
export function needingKey({ key: _key, ...options }: KeyedOptions): string | undefined {
  return Object.keys(options)[0];
}
