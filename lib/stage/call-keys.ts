import { types } from 'node:util';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { classNameOf, isPlainArray, isPlainObject } from '../common/plain-object.js';
import { read } from '../common/read.js';
import { askKey, keyFrom } from './key.js';
import type { KeyFunction } from './keyed.options.js';

/** Longer ones would cost more than they save. */
const MAX_LENGTH = 10_000;
/** Deeper than this, arguments are circular, as good as. */
const MAX_DEPTH = 20;
/** What a text begins with that stands for arguments, rather than being the only one. */
const TEXT = '\0';
/** The first character that is no control character: what begins with one of those may stand for something else. */
const SPACE = 32;

/** Calls are equal that have the same one. */
export type CallKey = string | number;

/** What is known of an operation before it is called. */
export interface OperationTraits {
  readonly returns: 'promise' | 'observable' | 'async-generator' | 'undeclared' | 'either';
  /** So many arguments are declared that tell calls apart; of functions that are passed to it, none. */
  readonly arguments: number;
  /** Whether an object serves one request only. */
  readonly isRequestScoped: boolean;
  /** Whether it is a route that sends its response itself. */
  readonly sendsItself: boolean;
}

/** Tells which calls of an operation are equal. */
export class CallKeys {
  private readonly instances = new WeakMap<object, number>();
  private count = 0;

  /**
   * @param key without one, calls of the same object with equal arguments are equal
   * @param warn told of a call of which it cannot be said
   */
  constructor(
    private readonly key: KeyFunction | undefined,
    private readonly place: string,
    private readonly warn: (error: unknown) => void,
  ) {}

  /** Whether calls are equal by their arguments, or by a key that somebody named. */
  get by(): 'arguments' | 'key' {
    return this.key === undefined ? 'arguments' : 'key';
  }

  /**
   * What is everybody's by its arguments may be one user's by all else.
   *
   * @throws ResilienceConfigurationError where an operation has to name its key
   */
  suit(place: string, { returns, arguments: declared, isRequestScoped }: OperationTraits): void {
    if (returns === 'undeclared')
      throw new ResilienceConfigurationError(
        place,
        'is on a method of which it is not known whether it returns a Promise or an Observable; declare `: Promise<…>` or `: Observable<…>`, or make it async',
      );
    if (this.key !== undefined || (declared > 0 && !isRequestScoped)) return;
    const why = isRequestScoped
      ? 'is of a request-scoped provider, each object of which is for one request'
      : 'is of calls without arguments that would tell one from another';
    throw new ResilienceConfigurationError(
      place,
      `${why}; name what makes two calls equal, and include whose they are: key: (…) => string`,
    );
  }

  /** @returns `undefined` where the call is equal to no other one, as far as can be said */
  of(self: unknown, args: readonly unknown[]): CallKey | undefined {
    try {
      return this.key === undefined
        ? this.ofArguments(self, args)
        : keyFrom(askKey(this.key, { self, args }, this.place), this.place);
    } catch (error) {
      this.warn(error);
      return undefined;
    }
  }

  /** Of a single id, as most calls have it, that is the key itself, which costs next to nothing. */
  private ofArguments(self: unknown, args: readonly unknown[]): CallKey {
    const instance = this.numberOf(self);
    const [first] = args;
    let { length } = args;
    while (length > 0 && saysNothing(args[length - 1])) length--;
    if (instance === 1 && length === 1 && isKeyItself(first)) return first;
    let text = `${TEXT}${instance}`;
    for (let i = 0; i < length; i++) {
      text += `,${saysNothing(args[i]) ? 'undefined' : textOf(args[i], 0)}`;
      checkLength(text);
    }
    return text;
  }

  /** Objects of one class may well have another state. */
  private numberOf(self: unknown): number {
    if (typeof self !== 'object' || self === null) return 0;
    const known = this.instances.get(self);
    if (known !== undefined) return known;
    this.instances.set(self, ++this.count);
    return this.count;
  }
}

function isKeyItself(argument: unknown): argument is CallKey {
  if (typeof argument === 'number') return !Object.is(argument, -0);
  if (typeof argument !== 'string' || argument.length > MAX_LENGTH) return false;
  return argument === '' || argument.charCodeAt(0) >= SPACE;
}

/** What was left out, or when the caller gives up. */
function saysNothing(argument: unknown): boolean {
  return argument === undefined || isSignal(argument);
}

/** Whether an argument says when its caller gives up. */
export function isSignal(argument: unknown): argument is AbortSignal {
  return typeof argument === 'object' && read(argument, Symbol.toStringTag) === 'AbortSignal';
}

/**
 * The same for equal values, and for no others: of primitives, dates, arrays and plain objects, all of whose
 * properties are in it.
 *
 * @throws TypeError of others, whose state nobody knows
 */
function textOf(value: unknown, depth: number): string {
  if (typeof value === 'string') return `"${value.length}:${value}`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value === undefined || value === null || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') throw unknowable(`a ${typeof value}`);
  if (depth === MAX_DEPTH) throw unknowable(`deeper than ${MAX_DEPTH} levels, or circular`);
  if (isPlainObject(value)) return objectText(value as Record<string, unknown>, depth + 1);
  if (Array.isArray(value) && isPlainArray(value)) return arrayText(value, depth + 1);
  const name = classNameOf(value);
  if (types.isDate(value) && name === 'Date') return dateText(value);
  throw unknowable(`an object of ${name}`);
}

function dateText(date: Date): string {
  if (Reflect.ownKeys(date).length > 0) throw unknowable('a date with properties');
  return `D${date.getTime()}`;
}

function arrayText(values: readonly unknown[], depth: number): string {
  let text = '[';
  for (const value of values) {
    text += `${textOf(value, depth)},`;
    checkLength(text);
  }
  const elementsAndLength = values.length + 1;
  if (Reflect.ownKeys(values).length !== elementsAndLength)
    throw unknowable('an array with gaps, or with properties');
  return `${text}]`;
}

function objectText(values: Record<string, unknown>, depth: number): string {
  let text = '{';
  if (Object.getOwnPropertySymbols(values).length > 0)
    throw unknowable('an object with symbols for keys');
  for (const key of Object.getOwnPropertyNames(values).sort()) {
    text += `${key.length}:${key}=${textOf(values[key], depth)},`;
    checkLength(text);
  }
  return `${text}}`;
}

function checkLength(text: string): void {
  if (text.length > MAX_LENGTH) throw unknowable(`longer than ${MAX_LENGTH} characters as a text`);
}

function unknowable(what: string): TypeError {
  return new TypeError(
    `an argument is ${what}: whether calls are equal cannot be told by it; name a key`,
  );
}
