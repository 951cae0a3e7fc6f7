import 'reflect-metadata';
import type { ArgumentsHost } from '@nestjs/common';
import type { Class } from '../common/class.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Scope } from '../context/scope.js';
import { isObservableClass } from '../dispatch/class-methods.js';
import type { MethodDefinition } from '../dispatch/method-definition.js';
import { type ErrorMapping, guardError, transportError } from '../edge/edge-errors.js';
import { isOfQuery, isSafeCall, isSafeRequest } from '../edge/safe-call.js';
import { signalParameters } from '../edge/signal.decorator.js';
import { isHandler, safetyOf, sendsOwnResponse, transportOfHandler } from '../nest/handlers.js';

/** What calling a method needs to know, beside its pipeline. */
export interface MethodTraits {
  /** `'undeclared'` where neither metadata nor the function itself tells. */
  readonly returns: 'promise' | 'observable' | 'async-generator' | 'undeclared';
  /** The class that it is declared to return, of which only a Promise or an Observable is left. */
  readonly narrows: string | undefined;
  /** Whether it is a guard's decision. */
  readonly guards: boolean;
  /** The positions of `@Signal()` parameters. */
  readonly signals: readonly number[];
  /** Whether a call may be made inside of another, as far as the method's text tells. */
  readonly mayCallItself: boolean;
  /** Whether it is a route that sends its response itself. */
  readonly sendsItself: boolean;
  /** Whether the response can begin, or be made for nobody, while it runs: a route, or an interceptor around one. */
  readonly responds: boolean;
  /** Whether a call can be repeated without harm, where that is not the same for all of them. */
  readonly isSafeCall:
    | ((args: readonly unknown[], request: Scope | undefined) => boolean)
    | undefined;
  /** Turns resilience errors into those of the transport, where no interceptor of ours may be around. */
  readonly atEdge:
    | ((error: unknown, args: readonly unknown[]) => ReturnType<ErrorMapping>)
    | undefined;
}

/** @throws ResilienceConfigurationError where the method is not one that can be protected */
export function traitsOf(type: Class, definition: MethodDefinition): MethodTraits {
  const { owner, key } = definition;
  return {
    returns: returnsOf(definition, type),
    narrows: narrowed(declaredReturnOf(definition)),
    guards: key === 'canActivate',
    signals: signalParameters(owner.prototype as object, key),
    mayCallItself: definition.namesItself,
    sendsItself: sendsOwnResponse(type, key),
    responds: transportOfHandler(methodOf(definition)) === 'http' || key === 'intercept',
    isSafeCall: safeCallOf(definition),
    atEdge: edgeOf(definition),
  };
}

/** The function that stands in the class, which a decorator above ours may have wrapped and `@Get()` have marked. */
export function methodOf({ owner, key, dispatcher }: MethodDefinition): object {
  const method = Object.getOwnPropertyDescriptor(owner.prototype, key)?.value as unknown;
  return typeof method === 'function' ? method : dispatcher;
}

/**
 * The handlers of a hybrid application's microservices do not get its interceptors, guards are called
 * before any, and an application's own interceptor may be around ours.
 */
function edgeOf(definition: MethodDefinition): MethodTraits['atEdge'] {
  const transport = transportOfHandler(methodOf(definition));
  if (transport !== undefined && transport !== 'http')
    return (error) => transportError(error, transport);
  if (definition.key !== 'canActivate' && definition.key !== 'intercept') return undefined;
  return async (error, [host]) => (isArgumentsHost(host) ? guardError(error, host) : undefined);
}

/**
 * The call at hand decides for a handler that is reached in several ways, and for what is around
 * handlers: their bodies would run again. (A guard or a pipe has nothing behind it.)
 */
function safeCallOf(definition: MethodDefinition): MethodTraits['isSafeCall'] {
  const { key } = definition;
  const method = methodOf(definition);
  if (isHandler(method)) {
    if (safetyOf(method) !== 'by-call') return undefined;
    return (args, request) => request?.repeatable === true || args.some(isOfQuery);
  }
  if (key === 'intercept') return ([host]) => !isArgumentsHost(host) || isSafeCall(host);
  if (key === 'use')
    return ([request, , next]) =>
      typeof next !== 'function' || isSafeRequest(request as { method?: unknown });
  return undefined;
}

function isArgumentsHost(value: unknown): value is ArgumentsHost {
  return typeof (value as Partial<ArgumentsHost> | undefined)?.switchToHttp === 'function';
}

/** As declared, which TypeScript tells decorated methods (`emitDecoratorMetadata`). */
function returnsOf(definition: MethodDefinition, type: Class): MethodTraits['returns'] {
  const { key } = definition;
  const declared = declaredReturnOf(definition);
  if (isObservableClass(declared)) return 'observable';
  const kind = definition.functionKind;
  if (kind === 'AsyncGeneratorFunction') return 'async-generator';
  if (kind === 'GeneratorFunction') {
    throw new ResilienceConfigurationError(
      `${type.name}.${String(key)}`,
      'is a generator; allowed: a method that returns a Promise or an Observable, or an async generator',
    );
  }
  if (kind === 'AsyncFunction' || declared === Promise || isThenableClass(declared))
    return 'promise';
  if (TELLS_NOTHING.has(declared)) return 'undeclared';
  if (isHandler(methodOf(definition))) return 'promise'; // of a handler's value
  throw new ResilienceConfigurationError(
    `${type.name}.${String(key)}`,
    `is declared to return ${(declared as Class).name}; allowed: a method that returns a Promise or an Observable`,
  );
}

/** What stands there for an alias or an interface, and for a class that is imported only as a type. */
const TELLS_NOTHING = new Set<unknown>([undefined, Object, Function]);

function declaredReturnOf({ owner, key }: MethodDefinition): unknown {
  return Reflect.getMetadata('design:returntype', owner.prototype, key as string);
}

function narrowed(declared: unknown): string | undefined {
  if (!isObservableClass(declared) && !isThenableClass(declared)) return undefined;
  const { name } = declared as Class;
  return name === 'Observable' || name === 'Promise' ? undefined : name;
}

function isThenableClass(type: unknown): boolean {
  return (
    typeof type === 'function' &&
    typeof (type as { prototype?: { then?: unknown } }).prototype?.then === 'function'
  );
}
