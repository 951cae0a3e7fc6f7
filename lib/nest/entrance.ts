import type { ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';

type Enter = (request: unknown, response: unknown, raw: ServerResponse, next: () => void) => void;

interface Adapter {
  getType(): string;
  getInstance(): unknown;
  use(middleware: (request: unknown, response: ServerResponse, next: () => void) => void): unknown;
}

type Hook = (request: unknown, reply: { raw: ServerResponse }, done: () => void) => void;

interface Fastify {
  addHook(name: 'onRequest', hook: Hook): unknown;
}

/** Puts `enter` before all that an application does with a request. */
export function enterBefore(host: HttpAdapterHost, enter: Enter): void {
  if (host.httpAdapter != null) {
    enterAt(host.httpAdapter as unknown as Adapter, enter);
    return;
  }
  // A testing module gets its adapter later. (Nest 11.0 does not say when: there, requests are entered at
  // their handlers.)
  const { init$ } = host as Partial<HttpAdapterHost>;
  init$?.subscribe(() => enterAt(host.httpAdapter as unknown as Adapter | null, enter));
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
