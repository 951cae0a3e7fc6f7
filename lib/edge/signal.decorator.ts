import 'reflect-metadata';
import { createParamDecorator } from '@nestjs/common';
import { refuseStandardDecorator } from '../common/standard-decorators.js';
import { currentSignal } from '../context/ambient.js';

const SIGNALS = Symbol.for('nestjs-bulwark:signal-parameters');

/** Where the handler is not resilient itself, it gets the request's signal. */
const RequestSignal = createParamDecorator(() => currentSignal());

/**
 * Passes the attempt's `AbortSignal` to a handler as a parameter: the same as `currentSignal()`.
 *
 * @example
 * class Products {@Get()
 *   find(@Signal() signal: AbortSignal): Promise<Response> { return fetch('https://shop.test', { signal }); }
 * }
 */
export function Signal(): ParameterDecorator {
  return (target, key, index) => {
    refuseStandardDecorator('@Signal()', key);
    RequestSignal()(target, key, index);
    if (key === undefined) return;
    Reflect.defineMetadata(SIGNALS, [...signalParameters(target, key), index], target, key);
  };
}

/** The positions of a method's `@Signal()` parameters: each attempt puts its own signal there. */
export function signalParameters(target: object, key: PropertyKey): readonly number[] {
  return (
    (Reflect.getMetadata(SIGNALS, target, key as string | symbol) as number[] | undefined) ?? []
  );
}
