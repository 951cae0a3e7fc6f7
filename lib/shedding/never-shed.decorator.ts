import 'reflect-metadata';
import { refuseStandardDecorator } from '../common/standard-decorators.js';

const NEVER_SHED = Symbol.for('nestjs-bulwark:never-shed');

/**
 * Keeps a handler, or all of a controller, reachable however overloaded the server is: for health probes, and
 * what is looked at then.
 *
 * @example
 * class Health {@NeverShed()@Get('status')
 *   status(): string { return 'up'; }
 * }
 */
export function NeverShed(): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    refuseStandardDecorator('@NeverShed()', key);
    const marked = key === undefined ? target : (descriptor?.value as object);
    Reflect.defineMetadata(NEVER_SHED, true, marked);
  };
}

export function isNeverShed(classOrHandler: object): boolean {
  return Reflect.hasMetadata(NEVER_SHED, classOrHandler);
}
