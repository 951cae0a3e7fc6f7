import { types } from 'node:util';
import { isError } from '../common/is-error.js';
import { isSecretName } from '../common/secret-names.js';
import { MASK, maskSecrets } from '../common/secret-text.js';
import { cut, describeError, MAX_TEXT } from '../errors/error-record.js';

const MAX_DEPTH = 5;
/** Of one object, list or map. */
const MAX_ENTRIES = 100;
/** In all. */
const MAX_ENTRIES_IN_ALL = 1_000;
const MAX_CHARACTERS_IN_ALL = 16_384;

/** Built-in collections of names and values, from whatever realm or package. */
const NAMED_VALUES = new Set(['Headers', 'URLSearchParams', 'FormData']);

type Entries = Iterable<readonly [unknown, unknown]>;

/**
 * A copy of anything that can be logged, kept and sent: what only a program can read is told in words,
 * what has the name or the shape of a secret is masked, and the work and the size are bounded whatever
 * the original is made of.
 */
export function readableCopy(value: unknown): unknown {
  return new Copying().copy(value, 0);
}

class Copying {
  private entriesLeft = MAX_ENTRIES_IN_ALL;
  private charactersLeft = MAX_CHARACTERS_IN_ALL;
  private readonly path = new Set<object>();

  copy(value: unknown, depth: number): unknown {
    if (typeof value === 'object' && value !== null) return this.object(value, depth);
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint') return this.text(`${value}n`);
    if (typeof value === 'symbol') return this.text(String(value));
    if (typeof value === 'function') return '[function]';
    return value;
  }

  private object(value: object, depth: number): unknown {
    try {
      const words = inWords(value);
      if (words !== undefined) return this.text(words);
      if (this.path.has(value)) return '[circular]';
      if (depth === MAX_DEPTH) return '[too deep]';
      this.path.add(value);
      const copied = this.inside(value, depth + 1);
      this.path.delete(value);
      return copied;
    } catch {
      return '[unreadable]'; // a proxy or a getter that throws
    }
  }

  private inside(value: object, depth: number): unknown {
    if (Array.isArray(value) || types.isSet(value)) return this.list(value, depth);
    if (types.isMap(value)) return this.record(value, depth);
    if (NAMED_VALUES.has(tagOf(value))) return this.record(value as Entries, depth);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return this.copy(toJSON.call(value), depth);
    return this.record(propertiesOf(value), depth, isSecretPair(value));
  }

  /** Also of headers as Node's `rawHeaders` and `Object.entries()` have them: a name, then its value. */
  private list(values: readonly unknown[] | Set<unknown>, depth: number): unknown[] {
    const copied: unknown[] = [];
    const size = Array.isArray(values) ? values.length : (values as Set<unknown>).size;
    let named = false;
    for (const value of values) {
      if (this.isFull(copied.length)) return [...copied, `… ${size - copied.length} more`];
      copied.push(named ? mask(value) : this.copy(value, depth));
      named = copied.length % 2 === 1 && typeof value === 'string' && isSecretName(value);
    }
    return copied;
  }

  /** @param isPair whether it is a secret as `{ name, value }` */
  private record(entries: Entries, depth: number, isPair = false): Record<string, unknown> {
    const copied: [string, unknown][] = [];
    for (const [key, value] of entries) {
      if (this.isFull(copied.length)) {
        copied.push(['…', 'more']);
        break;
      }
      const name = cut(typeof key === 'string' ? key : String(this.copy(key, MAX_DEPTH)), 100);
      const isSecret = isSecretName(name) || (isPair && name === 'value');
      copied.push([name, isSecret ? mask(value) : this.copy(value, depth)]);
    }
    return Object.fromEntries(copied);
  }

  private isFull(entries: number): boolean {
    return entries === MAX_ENTRIES || --this.entriesLeft < 0;
  }

  private text(text: string): string {
    const bounded = cut(text, Math.min(MAX_TEXT, this.charactersLeft));
    this.charactersLeft -= bounded.length;
    return maskSecrets(bounded);
  }
}

/** That there is none, or whether there is one, is no secret. */
function mask(value: unknown): unknown {
  return value === undefined || value === null || typeof value === 'boolean' ? value : MASK;
}

/** What is a value rather than a structure. */
function inWords(value: object): string | undefined {
  if (types.isDate(value))
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value))
    return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (isError(value)) {
    const { type, message } = describeError(value);
    return `${type}: ${message}`;
  }
  if (types.isRegExp(value) || types.isBoxedPrimitive(value)) return String(value);
  const tag = tagOf(value);
  if (tag === 'URL') return (value as URL).href;
  if (tag === 'Request') return `Request(${(value as Request).method} ${(value as Request).url})`;
  if (tag === 'Response') return `Response(${(value as Response).status})`;
  if (tag === 'Blob' || tag === 'File') return `${tag}(${(value as Blob).size} bytes)`;
  if (types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value)) return `[${tag}]`;
  return undefined;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function* propertiesOf(value: object): Generator<[string, unknown]> {
  for (const key of Object.keys(value)) yield [key, readProperty(value, key)];
}

function readProperty(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return '[unreadable]';
  }
}

/** `{ name: 'authorization', value: '…' }`, as some clients and HAR files have headers. */
function isSecretPair(value: object): boolean {
  const { name, key, value: secret } = value as Record<string, unknown>;
  const called = name ?? key;
  return typeof secret === 'string' && typeof called === 'string' && isSecretName(called);
}
