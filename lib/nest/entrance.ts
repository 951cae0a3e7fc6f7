import type { ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';

type Enter = (
  request: unknown,
  response: unknown,
  raw: ServerResponse,
  next: (error?: unknown) => void,
) => void;

interface Adapter {
  getType(): string;
  getInstance(): unknown;
  use(
    middleware: (
      request: unknown,
      response: ServerResponse,
      next: (error?: unknown) => void,
    ) => void,
  ): unknown;
}

type Hook = (
  request: unknown,
  reply: { raw: ServerResponse },
  done: (error?: unknown) => void,
) => void;

interface Fastify {
  addHook(name: 'onRequest', hook: Hook): unknown;
}

/**
 * Puts `enter` before all that an application does with a request.
 *
 * @param onAdapter is told of the adapter, before Nest registers routes at it
 */
export function enterBefore(
  host: HttpAdapterHost,
  enter: Enter,
  onAdapter: (adapter: object) => void = () => undefined,
): void {
  const enterInto = (adapter: Adapter | null) => {
    if (adapter != null) onAdapter(adapter);
    enterAt(adapter, enter);
  };
  if (host.httpAdapter != null) {
    enterInto(host.httpAdapter as unknown as Adapter);
    return;
  }
  // A testing module gets its adapter later. (Nest 11.0 does not say when: there, requests are entered at
  // their handlers.)
  const { init$ } = host as Partial<HttpAdapterHost>;
  init$?.subscribe(() => enterInto(host.httpAdapter as unknown as Adapter | null));
}

function enterAt(adapter: Adapter | null, enter: Enter): void {
  if (adapter?.getType() === 'fastify')
    hookOn(adapter.getInstance() as Fastify, (request, reply, done) =>
      enter(request, reply, reply.raw, done),
    );
  else adapter?.use((request, response, next) => enter(request, response, response, next));
}

/**
 * Nest's adapter makes middleware a hook of Fastify's before an application can add one of its own, so
 * this one is put before those that are there already.
 */
function hookOn(fastify: Fastify, hook: Hook): void {
  const hooks = hooksOf(fastify);
  if (hooks === undefined) fastify.addHook('onRequest', hook);
  else hooks.unshift(hook);
}

function hooksOf(fastify: object): Hook[] | undefined {
  const symbols = Object.getOwnPropertySymbols(fastify);
  const key = symbols.find(({ description }) => description === 'fastify.hooks');
  const hooks = key && (fastify as Record<symbol, { onRequest?: Hook[] } | undefined>)[key];
  return Array.isArray(hooks?.onRequest) ? hooks.onRequest : undefined;
}
