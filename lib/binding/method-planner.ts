import 'reflect-metadata';
import { Observable } from 'rxjs';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { isHandler, isHandlerClass, isSafeHandler } from '../dispatch/handlers.js';
import {
  classSettings,
  definitionsOf,
  type MethodDefinition,
} from '../dispatch/method-definition.js';
import { signalParameters } from '../edge/signal.decorator.js';
import type { Operation } from './operation.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { atDecorators, type ResolvedOperation, StageResolver } from './stage-resolver.js';

export type Class = abstract new (...args: never[]) => unknown;

/** A decorated method of a class that Nest instantiates. */
export interface MethodOperation extends Operation {
  readonly returns: 'promise' | 'observable' | 'async-generator';
  /** The positions of `@Signal()` parameters. */
  readonly signals: readonly number[];
}

/** What the planner needs to know of a method to make its operation. */
export interface MethodPlan extends ResolvedOperation {
  readonly name: string;
  readonly kind: 'provider' | 'handler';
  readonly returns: MethodOperation['returns'];
  readonly signals: readonly number[];
  /** What the user should know, though it is no error. */
  readonly warnings: readonly string[];
}

/**
 * The operations of a class, by definition.
 *
 * @throws ResilienceConfigurationError
 */
export function planClass(type: Class, catalog: PolicyCatalog): Map<MethodDefinition, MethodPlan> {
  const plans = new Map<MethodDefinition, MethodPlan>();
  for (const definition of definitionsOf(type)) {
    if (reaches(type, definition)) plans.set(definition, planMethod(type, definition, catalog));
  }
  return plans;
}

/** Whether a class has decorators of ours that reach none of its methods. */
export function reachesNothing(type: Class): boolean {
  return (
    classSettings(type).length > 0 &&
    !definitionsOf(type).some((definition) => reaches(type, definition))
  );
}

/** A class decorator reaches a controller's handlers, and a provider's async methods. */
function reaches(type: Class, definition: MethodDefinition): boolean {
  return (
    definition.settings !== undefined || !isHandlerClass(type) || isHandler(definition.dispatcher)
  );
}

function planMethod(type: Class, definition: MethodDefinition, catalog: PolicyCatalog): MethodPlan {
  const { key, dispatcher, settings } = definition;
  const name = `${type.name}.${String(key)}`;
  const layers = settings === undefined ? classSettings(type) : [...classSettings(type), settings];
  const resolved = new StageResolver(catalog, name, atDecorators(name), layers).resolve();
  const kind = isHandler(dispatcher) ? 'handler' : 'provider';
  const warnings: string[] = [];
  const { retry, fallback } = resolved.stages;
  if (
    kind === 'handler' &&
    retry !== undefined &&
    !isSafeHandler(dispatcher) &&
    !retry.options.idempotent
  ) {
    warnings.push(
      `${name}: @Retry() is inactive, because repeating this handler may do harm; idempotent: true says that it does not`,
    );
    resolved.stages = { ...resolved.stages, retry: undefined };
  }
  if (fallback !== undefined && typeof fallback.handler !== 'function')
    checkFallbackMethod(type, name, fallback.handler);
  const returns = returnsOf(definition, type);
  return {
    ...resolved,
    name,
    kind,
    returns,
    signals: signalParameters(definition.owner.prototype, key),
    warnings,
  };
}

function checkFallbackMethod(type: Class, place: string, handler: PropertyKey): void {
  const prototype = type.prototype as Record<PropertyKey, unknown>;
  if (typeof prototype[handler] === 'function') return;
  throw new ResilienceConfigurationError(
    `${place} @Fallback()`,
    `${type.name} has no method ${display(handler)}; allowed: the name of one of its methods, or a function`,
  );
}

/** As declared, which TypeScript tells decorated methods (`emitDecoratorMetadata`). */
function returnsOf(definition: MethodDefinition, type: Class): MethodOperation['returns'] {
  const { dispatcher, key, owner } = definition;
  const declared = Reflect.getMetadata(
    'design:returntype',
    owner.prototype,
    key as string,
  ) as unknown;
  if (isObservableClass(declared)) return 'observable';
  const kind = definition.functionKind;
  if (kind === 'AsyncGeneratorFunction') return 'async-generator';
  if (kind === 'GeneratorFunction') {
    throw new ResilienceConfigurationError(
      `${type.name}.${String(key)}`,
      'is a generator; allowed: a method that returns a Promise or an Observable, or an async generator',
    );
  }
  const isSync = typeof declared === 'function' && declared !== Promise && declared !== Object;
  if (isSync && !isHandler(dispatcher) && kind !== 'AsyncFunction' && !isThenableClass(declared)) {
    throw new ResilienceConfigurationError(
      `${type.name}.${String(key)}`,
      `is declared to return ${(declared as Class).name}; allowed: a method that returns a Promise or an Observable`,
    );
  }
  return 'promise';
}

function isObservableClass(type: unknown): boolean {
  if (typeof type !== 'function') return false;
  const prototype = type.prototype as { subscribe?: unknown; pipe?: unknown } | undefined;
  return (
    type === Observable ||
    (typeof prototype?.subscribe === 'function' && typeof prototype.pipe === 'function')
  );
}

function isThenableClass(type: unknown): boolean {
  return typeof (type as { prototype?: { then?: unknown } }).prototype?.then === 'function';
}
