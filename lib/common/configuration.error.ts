import { classNameOf, isPlainObject } from './plain-object.js';
import { read } from './read.js';
import { maskSecrets } from './secret-text.js';
import { closest, numberMeant } from './spelling.js';

/**
 * A mistake in the configuration, found when the application boots, or where a function of the options
 * answers what it must not.
 *
 * The message names the place (`breakers.payments.failureThreshold`, `PaymentsService.charge`), the
 * value found there and what is allowed instead.
 */
export class ResilienceConfigurationError extends Error {
  /** The class's name, by which logs show it. */
  override readonly name = 'ResilienceConfigurationError';
  /** That there is no such option, and those that there are. */
  #unknown: { readonly option: string; readonly options: readonly string[] } | undefined;

  /**
   * @param problem what was found there, and what is allowed instead
   * @param options its `cause` is what a function among the options threw
   */
  constructor(
    /** Where the mistake is: a path into the options, or `ClassName.method`. */
    readonly place: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${place}: ${problem}`, options);
  }

  /** For an option that there is not, with those that there are, and the one that was probably meant. */
  static unknownOption(
    place: string,
    option: string,
    options: Iterable<string>,
  ): ResilienceConfigurationError {
    const error = new ResilienceConfigurationError(
      place,
      `there is no such option; ${known(options, option)}`,
    );
    error.#unknown = { option, options: [...options] };
    return error;
  }

  /** The same mistake, where there are other options as well at a place. @internal */
  alsoKnowing(place: string, others: readonly string[]): ResilienceConfigurationError {
    if (this.#unknown === undefined) return this;
    const { option, options } = this.#unknown;
    if (this.place !== `${place}.${option}`) return this; // of what is nested there
    return ResilienceConfigurationError.unknownOption(this.place, option, [...options, ...others]);
  }
}

/** How a value looks in an error message: short, on one line, and never throwing. */
export function display(value: unknown): string {
  try {
    return shown(value);
  } catch {
    return 'something that cannot be read'; // a proxy
  }
}

/** The same of what a user's function has thrown: an error's message. */
export function displayThrown(thrown: unknown): string {
  return display(read(thrown, 'message') ?? thrown);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (typeof value === 'function')
    return value.name === '' ? 'a function' : `function ${value.name}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return shorten(`[${value.slice(0, 20).map(displayItem).join(', ')}]`);
  if (!isPlainObject(value) && !(value instanceof Date))
    return `an instance of ${classNameOf(value)}`; // a client has passwords in it
  try {
    return shorten(JSON.stringify(value) ?? 'an object');
  } catch {
    return 'an object';
  }
}

/** JSON knows no NaN and no Infinity, and what is nested may be endless. */
function displayItem(item: unknown): string {
  return Array.isArray(item) ? 'an array' : display(item);
}

/** What kind of thing a value is, where the value itself may be a secret. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return 'a string';
  const shown = display(value);
  try {
    return typeof value === 'object' && value !== null && isPlainObject(value)
      ? 'an object'
      : shown;
  } catch {
    return shown; // a proxy
  }
}

/** `known: a, b; did you mean a?` for messages about an unknown name. */
export function known(names: Iterable<string>, wanted: string): string {
  const list = [...names];
  if (list.length === 0) return 'none is registered';
  const meant = closest(wanted, list);
  return `known: ${list.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

/**
 * For a name that nothing is registered by: what is, and how to register it.
 *
 * @param section of the module's options: `breakers`
 */
export function unregistered(
  kind: string,
  name: string,
  names: Iterable<string>,
  section: string,
  words?: NamingWords,
): string {
  const list = [...names];
  return `there is no ${kind} ${display(name)}; ${known(list, name)}; ${remedyFor(name, list, section, words)}`;
}

/**
 * For a name that is registered when it has been made up already, as a test may have it.
 *
 * @param namedIn where it was named
 */
export function comesTooLate(kind: string, name: string, namedIn: string): string {
  return `comes too late: ResilienceTestingModule has made the ${kind} ${display(name)} up, as ${namedIn} named it before, where an application without it fails; allowed: to register it in a module that is not loaded lazily`;
}

/** How messages say what to write for a name that is not registered. */
export interface NamingWords {
  /** The least that options by a name have to say, as code. @default `{}` */
  readonly least?: string | undefined;
  /** What says in the place of a name what a number was meant for, as code; `undefined` where nothing may. */
  instead?(number: number): string | undefined;
}

function remedyFor(
  name: string,
  names: string[],
  section: string,
  { least = '{}', instead }: NamingWords = {},
): string {
  if (name.trim() === '') return 'give it the name of one';
  const number = numberMeant(name);
  const meant = number === undefined ? undefined : instead?.(number);
  if (meant !== undefined) return `to say it here, pass ${meant}`;
  const either = names.length === 0 ? '' : 'or ';
  return `${either}register it in the module's options, ${section}: { ${propertyName(name)}: ${least} }`;
}

/** A name as code has it between the braces of an object. */
export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : display(name);
}

/** Secrets go first: one that is cut cannot be told by its end any more. */
function shorten(whole: string): string {
  const text = maskSecrets(whole);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
