import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { type Transport, transportOfHandler } from './handlers.js';

/** Who is told of a handler, `Orders.place`, and of the server of its microservice, where there is but one. */
type Tell = (handler: string, server: string | undefined) => void;

interface Watch {
  readonly interceptor: object;
  readonly tell: Tell;
  /** The microservices that were told. */
  readonly told: WeakSet<ApplicationConfig>;
}

/** As Nest 11 and 12 have it. */
interface RpcTargets {
  getRpcTargetRegistry?(): { subscribe(next: (server: object) => void): unknown };
}

const watches = new WeakMap<ModulesContainer, Watch>();
const OF_MESSAGES: readonly (Transport | undefined)[] = ['rpc', 'grpc'];

/**
 * From now on `tell` is told of each microservice of a hybrid application whose handlers have no interceptor of
 * this class: unless it inherits the application's configuration, it has one of its own.
 */
export function watchMicroservices(
  modules: ModulesContainer,
  interceptor: object,
  tell: Tell,
): void {
  watches.set(modules, { interceptor, tell, told: new WeakSet() });
}

/** Nest has made the interceptors of a handler, by a configuration that is not the application's. */
export function noteForeign(
  modules: ModulesContainer,
  config: ApplicationConfig,
  chain: readonly unknown[],
  { constructor: type }: object,
  handler: { readonly name: string },
): void {
  const watch = watches.get(modules);
  if (watch === undefined || watch.told.has(config)) return;
  if (!OF_MESSAGES.includes(transportOfHandler(handler))) return;
  if (chain.some((each) => each?.constructor === watch.interceptor.constructor)) return;
  watch.told.add(config);
  watch.tell(`${type.name}.${handler.name}`, onlyServerOf(modules));
}

function onlyServerOf(modules: ModulesContainer): string | undefined {
  const servers: string[] = [];
  (modules as RpcTargets)
    .getRpcTargetRegistry?.()
    .subscribe((server) => void servers.push(server.constructor.name));
  return servers.length === 1 ? servers[0] : undefined;
}
