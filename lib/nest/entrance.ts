import type { HttpAdapterHost } from '@nestjs/core';

/** Middleware, as Express has it; the hooks of Fastify have the same shape. */
type Enter = (request: unknown, response: unknown, next: () => void) => void;

interface Adapter {
  getType(): string;
  getInstance(): unknown;
  use(middleware: Enter): unknown;
}

interface Fastify {
  addHook(name: 'onRequest', hook: Enter): unknown;
}

/** Puts `enter` before all that an application does with a request, from when it has an HTTP server. */
export function enterBefore(host: HttpAdapterHost, enter: Enter): void {
  host.init$.subscribe(() => {
    const adapter = host.httpAdapter as Adapter | null | undefined;
    if (adapter == null) return;
    if (adapter.getType() === 'fastify') hookOn(adapter.getInstance() as Fastify, enter);
    else adapter.use(enter);
  });
}

/**
 * Nest's adapter makes middleware a hook of Fastify's before an application can add one of its own, so
 * this one is put before those that are there already.
 */
function hookOn(fastify: Fastify, enter: Enter): void {
  const hooks = hooksOf(fastify);
  if (hooks === undefined) fastify.addHook('onRequest', enter);
  else hooks.unshift(enter);
}

function hooksOf(fastify: object): Enter[] | undefined {
  const symbols = Object.getOwnPropertySymbols(fastify);
  const key = symbols.find(({ description }) => description === 'fastify.hooks');
  const hooks = key && (fastify as Record<symbol, { onRequest?: Enter[] } | undefined>)[key];
  return Array.isArray(hooks?.onRequest) ? hooks.onRequest : undefined;
}
