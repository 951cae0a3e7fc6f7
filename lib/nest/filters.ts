import 'reflect-metadata';
import type { ExceptionFilter } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { AnyMethod, Class } from '../common/class.js';

/** The keys by which `@Catch()` and `@UseFilters()` leave what they say. */
const CATCHES = '__filterCatchExceptions__';
const FILTERS = '__exceptionFilters__';

/** Puts a filter behind all other global ones: Nest asks the last one first. */
export function askLast(filter: ExceptionFilter, config: ApplicationConfig): void {
  config.getGlobalFilters().unshift(filter);
}

/** The classes of errors that a filter says it is for; none where it is for all. */
export function catchesOf(filter: ExceptionFilter): Class[] {
  return (Reflect.getMetadata(CATCHES, filter.constructor) as Class[] | undefined) ?? [];
}

/** The filters that `@UseFilters()` has bound to a handler and its class; the last one is asked first. */
export function filtersOf(
  type: Class,
  handler: AnyMethod,
  modules: ModulesContainer,
): ExceptionFilter[] {
  const bound = [type, handler].flatMap(
    (each) => (Reflect.getMetadata(FILTERS, each) as (ExceptionFilter | Class)[] | undefined) ?? [],
  );
  const filters = bound.map((each) =>
    typeof each === 'function' ? provided(each, modules) : each,
  );
  return filters.filter((each) => each !== undefined);
}

/** Of a class that is bound; one for each request is not there any more. */
function provided(type: Class, modules: ModulesContainer): ExceptionFilter | undefined {
  const wrappers = [...modules.values()].map(({ injectables }) => injectables.get(type));
  return wrappers.find((each) => each?.isDependencyTreeStatic())?.instance as
    | ExceptionFilter
    | undefined;
}

/**
 * Puts a filter behind all others of these gateways, by what `@UseFilters()` said: no global filter is
 * for gateways.
 *
 * @returns takes it back, since the classes belong to other applications too
 */
export function filterGateways(gateways: readonly Class[], filter: ExceptionFilter): () => void {
  const before = gateways.map((type) => {
    const own = Reflect.getOwnMetadata(FILTERS, type) as unknown[] | undefined;
    const all = Reflect.getMetadata(FILTERS, type) as unknown[] | undefined;
    Reflect.defineMetadata(FILTERS, [filter, ...(all ?? [])], type); // the last one is asked first
    return { type, own };
  });
  return () => {
    for (const { type, own } of before) {
      if (own === undefined) Reflect.deleteMetadata(FILTERS, type);
      else Reflect.defineMetadata(FILTERS, own, type);
    }
  };
}
