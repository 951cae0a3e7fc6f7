import { types } from 'node:util';
import { classNameOf, isPlainArray, isPlainObject } from '../common/plain-object.js';

/** Deeper than this, a value is circular, as good as. */
const MAX_DEPTH = 100;
/** So many values one may be made of. */
const MAX_VALUES = 100_000;

/**
 * A copy of plain data, which has nothing in common with it: of primitives, dates, the elements of arrays, what
 * plain objects have by texts, maps, sets, buffers and typed arrays.
 *
 * (`structuredClone` takes several times as long, and makes plain objects of all others without a word.)
 *
 * @throws TypeError of all else, whose state cannot be copied: objects of a class, streams, functions
 */
export function plainCopy(value: unknown): unknown {
  return isPrimitive(value) ? value : new Copying().copy(value, 0);
}

function isPrimitive(value: unknown): boolean {
  return (typeof value !== 'object' && typeof value !== 'function') || value === null;
}

class Copying {
  private left = MAX_VALUES;

  copy(value: unknown, depth: number): unknown {
    if (isPrimitive(value)) return value;
    if (depth === MAX_DEPTH) throw uncopied(`deeper than ${MAX_DEPTH} levels, or circular`);
    if (typeof value === 'function') throw uncopied('a function');
    if (Array.isArray(value) && isPlainArray(value)) return this.array(value, depth + 1);
    return isPlainObject(value as object)
      ? this.object(value as Record<string, unknown>, depth + 1)
      : this.special(value as object, depth + 1);
  }

  private take(values: number): void {
    this.left -= values;
    if (this.left < 0) throw uncopied(`made of more than ${MAX_VALUES} values`);
  }

  /** Of its elements: to look for what else it has would cost as much again. */
  private array(values: readonly unknown[], depth: number): unknown[] {
    this.take(values.length);
    return values.map((each) => this.copy(each, depth));
  }

  private object(value: Record<string, unknown>, depth: number): Record<string, unknown> {
    const copy: Record<string, unknown> =
      Object.getPrototypeOf(value) === null ? Object.create(null) : {};
    const keys = Object.keys(value);
    this.take(keys.length);
    for (const key of keys) {
      const each = this.copy(value[key], depth);
      if (key === '__proto__') define(copy, key, each);
      else copy[key] = each;
    }
    return copy;
  }

  private special(value: object, depth: number): unknown {
    const name = classNameOf(value);
    if (types.isDate(value) && name === 'Date') return new Date(value.getTime());
    if (types.isMap(value) && name === 'Map') {
      this.take(2 * value.size);
      const copied = Array.from(value, ([key, each]): [unknown, unknown] => [
        this.copy(key, depth),
        this.copy(each, depth),
      ]);
      return new Map(copied);
    }
    if (types.isSet(value) && name === 'Set') {
      this.take(value.size);
      return new Set(Array.from(value, (each) => this.copy(each, depth)));
    }
    if (Buffer.isBuffer(value)) return Buffer.from(value);
    if (types.isAnyArrayBuffer(value) || types.isArrayBufferView(value))
      return structuredClone(value);
    throw uncopied(`an object of ${name}`);
  }
}

function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function uncopied(what: string): TypeError {
  return new TypeError(
    `an answer is ${what}, of which no copy can be kept; answer with plain data, of ${MAX_VALUES} values at most`,
  );
}
