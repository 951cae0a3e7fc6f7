import type { FactoryProvider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { isObject } from '../common/options.js';
import { read } from '../common/read.js';
import { isKeyed, type Registered } from '../common/registry.js';
import { type RequestedToken, requestedTokens, tokenOf } from '../common/tokens.js';
import type { NamedCatalog } from '../instances/named-catalog.js';
import type { Module } from '../nest/modules.js';
import { ownFactory } from '../nest/overrides.js';
import { consumerOf, offer, withdrawEmpty } from '../nest/providers.js';
import { isInline, type NamedPolicy } from '../stage/named-instances.js';
import { STAGES } from '../stages.js';
import type { PolicyCatalog } from './policy-catalog.js';
import type { ResilienceRuntime } from './runtime.js';

/** Injects the application's runtime when it is configured. */
export const READY = Symbol.for('nestjs-bulwark:ready');

/**
 * Providers of the policies named in some options; of stages of an application's own, which are not known
 * yet, of those that somebody asks for.
 *
 * @param source injects the runtime when it knows these options
 */
export function namedProviders(feature: unknown, source: symbol = READY): FactoryProvider[] {
  const ours = STAGES.flatMap(({ instances }): RequestedToken[] => {
    if (instances === undefined) return [];
    const { stage } = instances;
    const names = namesIn(feature, instances);
    return names.map((name) => ({ stage, name, token: tokenOf(stage, name) }));
  });
  const own = requestedTokens().filter((it) => namesIn(feature, it).includes(it.name));
  return [...ours, ...own].map((requested) => providerOf(requested, source));
}

/** The instances of a stage that options name, also as parts of bundles. */
function namesIn(
  feature: unknown,
  { stage, section = '' }: Pick<RequestedToken, 'stage' | 'section'>,
): string[] {
  const services = read(feature, 'services');
  const shared = keysOf(services).filter((name) => isInline(read(read(services, name), stage)));
  return [...keysOf(read(feature, section)), ...shared];
}

/** None of what is wrong, of which the boot tells when it checks the options. */
function keysOf(section: unknown): string[] {
  return isObject(section) ? Object.keys(section) : [];
}

/**
 * Providers of the policies that anything in the process asks for. Whether they exist is known only
 * when the options are: an unknown one fails the boot, if it is this application that wants it.
 */
export function requestedProviders(): FactoryProvider[] {
  return requestedTokens().map((token) => providerOf(token, READY));
}

/** Makes the policies that nobody asked for by then available too, to `app.get()` and to lazily loaded modules. */
export function offerPolicies({ catalog }: ResilienceRuntime, modules: readonly Module[]): void {
  for (const named of catalog.named())
    for (const entry of named.registry.entries()) {
      const token = tokenOf(named.instances.stage, entry.name);
      for (const module of modules) offer(module, token, injectedOf(named, entry));
    }
}

/**
 * Takes back the providers of policies that do not exist, which nobody in the application wants: in
 * the way of a lazily loaded feature that names them, they would inject `undefined`.
 */
export function withdrawUnknown(modules: ModulesContainer): void {
  for (const { token } of requestedTokens()) withdrawEmpty(modules, token);
}

function providerOf(requested: RequestedToken, source: symbol): FactoryProvider {
  return {
    provide: requested.token,
    inject: [source, ModulesContainer],
    useFactory: ownFactory(({ catalog }: ResilienceRuntime, modules: ModulesContainer) =>
      policyOf(catalog, requested, modules),
    ),
  };
}

function policyOf(
  catalog: PolicyCatalog,
  { stage, name, token }: RequestedToken,
  modules: ModulesContainer,
): unknown {
  const named = catalog.namedOf(stage);
  if (named?.registry.isTaken(name)) return injectedOf(named, named.registry.entry(name));
  const consumer = consumerOf(token, modules);
  return consumer === undefined || named === undefined
    ? undefined
    : injectedOf(named, named.find(name, consumer));
}

/** Of many by key all of them, which can be asked for that of a key. */
function injectedOf({ instances }: NamedCatalog, entry: Registered<NamedPolicy>): unknown {
  return instances.injected && !isKeyed(entry) ? instances.injected(entry) : entry;
}
