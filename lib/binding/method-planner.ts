import 'reflect-metadata';
import type { AnyMethod, Class } from '../common/class.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { MethodDefinition, Settings } from '../dispatch/method-definition.js';
import { isHandler, safetyOf } from '../nest/handlers.js';
import type { Stages } from '../pipeline/stages.js';
import { type Blueprint, blueprintOf } from './blueprint.js';
import type { ClassCoverage } from './class-coverage.js';
import { checkSaidOnce, orderWarnings } from './decorator-order.js';
import { type MethodTraits, methodOf, traitsOf } from './method-traits.js';
import type { Operation } from './operation.js';
import { classNameOf, operationNameOf } from './operation-names.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { atDecorators } from './setting-places.js';
import { type ResolvedOperation, StageResolver } from './stage-resolver.js';
import { checkSuited } from './suited.js';

/** A decorated method of a class that Nest instantiates. */
export interface MethodOperation extends Operation, MethodTraits {}

/** What the planner knows of a method, from which its operation is made. */
export interface MethodPlan extends ResolvedOperation {
  readonly name: string;
  readonly className: string;
  readonly kind: 'provider' | 'handler';
  readonly traits: MethodTraits;
  /** What the user should know, though it is no error. */
  readonly warnings: readonly string[];
  readonly blueprint: Blueprint;
}

/**
 * The operations of a class, by definition.
 *
 * @param claim takes a name for the operation of a method
 * @param isRequestScoped whether the objects of the class are made for one request each
 * @throws ResilienceConfigurationError
 */
export function planClass(
  type: Class,
  definitions: MethodDefinition[],
  coverage: ClassCoverage,
  catalog: PolicyCatalog,
  claim: (name: string, key: PropertyKey) => void,
  isRequestScoped: boolean,
): Map<MethodDefinition, MethodPlan> {
  const plans = new Map<MethodDefinition, MethodPlan>();
  for (const definition of definitions) {
    if (!coverage.reaches(definition)) continue;
    checkSaidOnce(`${type.name}.${String(definition.key)}`, definition.settings);
    const name = operationNameOf(type, definition);
    claim(name, definition.key);
    const layers = coverage.layersFor(definition);
    plans.set(definition, planMethod(type, definition, name, layers, catalog, isRequestScoped));
  }
  checkCircles(plans, '@Fallback()', 'fallbacks that end', ({ fallback }) => fallback?.handler);
  checkCircles(plans, '@Retry()', 'preparations that end', beforeRetryOf);
  return plans;
}

/** Those that tell one call from another. */
function argumentsOf(definition: MethodDefinition, { signals }: MethodTraits): number {
  const { length } = methodOf(definition) as AnyMethod;
  return length - signals.filter((position) => position < length).length;
}

/** The method that runs before the retries of another, or a function. */
function beforeRetryOf({ retry }: Stages): unknown {
  return retry?.options.beforeRetry;
}

/** Methods that fall back on each other in a circle, for instance, would go on for ever once all of them fail. */
function checkCircles(
  plans: Map<MethodDefinition, MethodPlan>,
  decorator: string,
  allowed: string,
  nextOf: (stages: Stages) => unknown,
): void {
  const next = new Map<PropertyKey, unknown>();
  for (const [{ key }, { stages }] of plans) next.set(key, nextOf(stages));
  for (const [{ key }, { name }] of plans) {
    const circle = [key];
    for (let at = next.get(key); next.has(at as PropertyKey); at = next.get(at as PropertyKey)) {
      if (at === key) {
        throw new ResilienceConfigurationError(
          `${name} ${decorator}`,
          `goes in a circle: ${[...circle, key].map(String).join(' -> ')}; allowed: ${allowed}`,
        );
      }
      if (circle.includes(at as PropertyKey)) break;
      circle.push(at as PropertyKey);
    }
  }
}

/** What Nest calls around a handler, whose body runs again with it. */
const AROUND_HANDLERS = new Set<PropertyKey>(['intercept', 'use']);

function warningsAround(place: string, { retry, hedge }: Stages): string[] {
  const harm =
    'is active for GET, HEAD, OPTIONS and GraphQL queries only, because the handler that it is around may do harm';
  const warnings = [];
  if (retry && !retry.options.idempotent)
    warnings.push(`${place}: @Retry() ${harm}; idempotent: true says that it does not`);
  if (hedge) warnings.push(`${place}: @Hedge() ${harm}`);
  return warnings;
}

function planMethod(
  type: Class,
  definition: MethodDefinition,
  name: string,
  ofClass: readonly Settings[],
  catalog: PolicyCatalog,
  isRequestScoped: boolean,
): MethodPlan {
  const { key, settings } = definition;
  const className = classNameOf(type);
  const place = `${className}.${String(key)}`;
  const layers = settings === undefined ? ofClass : [...ofClass, settings];
  const placeOf = atDecorators(place);
  const resolver = new StageResolver(catalog, { operation: name, className }, placeOf, layers);
  const resolved = resolver.resolve();
  const traits = traitsOf(type, definition);
  const kind = isHandler(methodOf(definition)) ? 'handler' : 'provider';
  const fitted = (stages: Stages): FittedStages => {
    const fitted = fitStages(type, definition, place, kind, traits, stages);
    checkSuited(fitted, placeOf, catalog, {
      ...traits,
      arguments: argumentsOf(definition, traits),
      isRequestScoped,
    });
    return fitted;
  };
  const { stages, warnings } = fitted(resolved.stages);
  return {
    ...resolved,
    stages,
    name,
    className,
    kind,
    traits,
    blueprint: blueprintOf(resolver, (proposed) => fitted(proposed).stages),
    warnings: [
      ...warnings,
      ...orderWarnings(place, definition, ofClass, stages),
      ...adviceOnReturns(place, kind, traits),
    ],
  };
}

/** What is left of stages where they meet a method, with what the user should know of that. */
interface FittedStages {
  readonly stages: Stages;
  readonly warnings: readonly string[];
}

/** @throws ResilienceConfigurationError where a stage cannot be around the method */
function fitStages(
  type: Class,
  definition: MethodDefinition,
  place: string,
  kind: MethodPlan['kind'],
  traits: MethodTraits,
  given: Stages,
): FittedStages {
  const { key, settings } = definition;
  const { retry, hedge, fallback } = given;
  const warnings: string[] = [];
  let stages = given;
  const isUnsafe = kind === 'handler' && safetyOf(methodOf(definition)) === 'unsafe';
  if (retry && isUnsafe && !retry.options.idempotent) {
    warnings.push(
      `${place}: @Retry() is inactive, because repeating this handler may do harm; idempotent: true says that it does not`,
    );
    stages = { ...stages, retry: undefined };
  }
  const streams = traits.returns === 'observable' || traits.returns === 'async-generator';
  if (hedge !== undefined && streams && settings?.hedge === undefined) {
    stages = { ...stages, hedge: undefined }; // of the class, and not meant for this one
  } else if (hedge !== undefined && streams) {
    throw new ResilienceConfigurationError(
      `${place} @Hedge()`,
      'is on a method that returns a stream; allowed: one that returns a Promise',
    );
  }
  if (kind === 'handler' && hedge && (isUnsafe || traits.sendsItself)) {
    const reason = traits.sendsItself
      ? 'two of this handler at once would both send the response; use @Res({ passthrough: true })'
      : 'making this handler twice may do harm';
    warnings.push(`${place}: @Hedge() is inactive, because ${reason}`);
    stages = { ...stages, hedge: undefined };
  }
  if (fallback?.handler === key && settings?.fallback === undefined) {
    // A class's fallback is one of its methods too, but never its own.
    stages = { ...stages, fallback: undefined };
  } else if (fallback?.handler !== undefined && typeof fallback.handler !== 'function') {
    checkMethod(type, `${place} @Fallback()`, fallback.handler, key);
  }
  const beforeRetry = beforeRetryOf(stages);
  if (beforeRetry === key && settings?.retry === undefined)
    stages = { ...stages, retry: undefined }; // of the class, before whose retries it runs
  else if (beforeRetry !== undefined && typeof beforeRetry !== 'function')
    checkMethod(type, `${place} @Retry().beforeRetry`, beforeRetry as PropertyKey, key);
  if (stages.fallback !== undefined && traits.sendsItself) {
    warnings.push(
      `${place}: what @Fallback() answers is not sent, because this handler sends its response itself; use @Res({ passthrough: true })`,
    );
  }
  if (AROUND_HANDLERS.has(key) && traits.isSafeCall !== undefined)
    warnings.push(...warningsAround(place, stages));
  return { stages, warnings };
}

/** A transport takes whatever a handler returns; code has to know it when it calls. */
function adviceOnReturns(
  name: string,
  kind: MethodPlan['kind'],
  { returns, narrows }: MethodTraits,
): string[] {
  if (narrows !== undefined) {
    const left = returns === 'observable' ? 'Observable' : 'Promise';
    return [
      `${name}: is declared to return ${narrows}, but what its callers get is a plain ${left}, without what else ${narrows} can do; declare it to return ${left}<…>`,
    ];
  }
  if (kind === 'handler' || returns !== 'undeclared') return [];
  return [
    `${name}: whether it returns a Promise or an Observable is not known before it is called; declare \`: Promise<…>\` or \`: Observable<…>\` (no alias, and Observable imported as a value: \`import type\` and \`import { type Observable }\` hide it), or make it async, a generator by \`async *\``,
  ];
}

function checkMethod(type: Class, place: string, handler: PropertyKey, key: PropertyKey): void {
  const prototype = type.prototype as Record<PropertyKey, unknown>;
  if (handler === key) {
    throw new ResilienceConfigurationError(
      place,
      `is ${display(handler)}, the method itself; allowed: the name of another method, or a function`,
    );
  }
  if (isDeclared(prototype, handler) && typeof prototype[handler] === 'function') return;
  throw new ResilienceConfigurationError(
    place,
    `${type.name} has no method ${display(handler)}; allowed: the name of one of its methods, or a function`,
  );
}

/** Not what every object has: `toString`, `constructor`. */
function isDeclared(prototype: object, key: PropertyKey): boolean {
  if (key === 'constructor') return false;
  let owner: object | null = prototype;
  while (owner !== null && owner !== Object.prototype && !Object.hasOwn(owner, key))
    owner = Object.getPrototypeOf(owner) as object | null;
  return owner !== null && owner !== Object.prototype;
}
