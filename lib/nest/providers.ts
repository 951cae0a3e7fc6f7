import 'reflect-metadata';
import type { ModulesContainer } from '@nestjs/core';
import { type Module, type Wrapper, wrappersOf } from './modules.js';

/** The keys by which Nest keeps what a class has injected, where it is not the types of its parameters. */
const PARAMETERS = 'self:paramtypes';
const PROPERTIES = 'self:properties_metadata';

/** Makes a value available by a token too, to `app.get()` and to modules that are loaded later. */
export function offer(module: Module, token: string, value: unknown): void {
  if (module.providers.has(token)) return;
  module.addProvider({ provide: token, useValue: value });
  module.exports.add(token);
}

/** Takes back those providers of a token that have provided nothing. */
export function withdrawEmpty(modules: ModulesContainer, token: string): void {
  for (const module of modules.values()) {
    const provider = module.providers.get(token);
    if (provider === undefined || provider.instance !== undefined) continue;
    module.providers.delete(token);
    module.exports.delete(token);
  }
}

/** The name of a class or a provider of the application that has a token injected. */
export function consumerOf(token: string, modules: ModulesContainer): string | undefined {
  for (const module of modules.values())
    for (const wrapper of wrappersOf(module)) if (injects(wrapper, token)) return wrapper.name;
  return undefined;
}

function injects({ metatype, inject }: Wrapper, token: string): boolean {
  const isWanted = (wanted: unknown) =>
    wanted === token || (wanted as { token?: unknown } | null)?.token === token;
  if (inject?.some(isWanted)) return true;
  if (typeof metatype !== 'function') return false;
  const parameters = metadataOf<{ param: unknown }>(PARAMETERS, metatype);
  const properties = metadataOf<{ type: unknown }>(PROPERTIES, metatype);
  return (
    parameters.some(({ param }) => param === token) || properties.some(({ type }) => type === token)
  );
}

function metadataOf<T>(key: string, type: object): readonly T[] {
  return (Reflect.getMetadata(key, type) as T[] | undefined) ?? [];
}
