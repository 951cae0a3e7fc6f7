import type { AnyMethod } from '../common/class.js';
import { type Module, type Wrapper, wrappersOf } from './modules.js';

const own = new WeakSet<object>();

/** Marks the factory of a provider of this library, by whose absence an override is recognised. */
export function ownFactory<F extends object>(factory: F): F {
  own.add(factory);
  return factory;
}

/**
 * Tells what providers override those of the library: a value at once, what a class or a factory makes
 * when it is made. For before the first provider of the application is made.
 */
export function watchOverrides(
  module: Module,
  tokens: ReadonlySet<unknown>,
  tell: (token: unknown, override: unknown) => void,
): void {
  for (const wrapper of wrappersOf(module)) {
    const { token, metatype } = wrapper;
    if (!tokens.has(token) || (typeof metatype === 'function' && own.has(metatype))) continue;
    if (typeof metatype === 'function') whenMade(wrapper, (made) => tell(token, made));
    else tell(token, wrapper.instance);
  }
}

function whenMade(wrapper: Wrapper, tell: (made: unknown) => void): void {
  const make = wrapper.metatype as unknown as new (...args: unknown[]) => object;
  const told = <T>(made: T): T => {
    tell(made);
    return made;
  };
  const isClass = wrapper.inject === null || wrapper.inject === undefined;
  function Made(...args: unknown[]): unknown {
    if (isClass) return told(Reflect.construct(make, args));
    const made = (make as unknown as AnyMethod)(...args);
    return made instanceof Promise ? made.then(told) : told(made);
  }
  Made.prototype = make.prototype as object;
  wrapper.metatype = Object.setPrototypeOf(Made, make) as typeof wrapper.metatype;
}
