import { HttpAdapterHost } from '@nestjs/core';
import { enterBefore } from '../../lib/nest/entrance.js';

type Step = (request: unknown, response: unknown, next: () => void) => void;

/** What an adapter was given, and what comes of a request. */
function adapterOf(type: string, instance: object) {
  const middleware: Step[] = [];
  return {
    middleware,
    getType: () => type,
    getInstance: () => instance,
    use: (step: Step) => void middleware.push(step),
  };
}

function hostOf(adapter?: object): HttpAdapterHost {
  const host = new HttpAdapterHost();
  if (adapter !== undefined) host.httpAdapter = adapter as HttpAdapterHost['httpAdapter'];
  return host;
}

describe('A request enters', () => {
  const entered: unknown[][] = [];
  const enter = (...args: unknown[]) => void entered.push(args);
  const next = () => undefined;
  beforeEach(() => {
    entered.length = 0;
  });

  it('by middleware of an adapter that is there', () => {
    const present = adapterOf('express', {});
    enterBefore(hostOf(present), enter);
    present.middleware[0]?.('request', 'response', next);
    expect(entered).toEqual([['request', 'response', 'response', next]]);
  });

  // Nest 11.0 does not tell.
  const itWhereNestTells = 'init$' in HttpAdapterHost.prototype ? it : it.skip;
  itWhereNestTells('by middleware of an adapter that comes later', () => {
    const late = adapterOf('express', {});
    const host = hostOf();
    enterBefore(host, enter);
    expect(late.middleware).toEqual([]);
    host.httpAdapter = late as unknown as HttpAdapterHost['httpAdapter'];
    late.middleware[0]?.('request', 'response', next);
    expect(entered).toEqual([['request', 'response', 'response', next]]);
  });

  it("by the first of Fastify's hooks, with what Fastify wraps", () => {
    const hooks: Step[] = [() => undefined];
    const fastify = { [Symbol('fastify.hooks')]: { onRequest: hooks } };
    enterBefore(hostOf(adapterOf('fastify', fastify)), enter);
    expect(hooks).toHaveLength(2);
    hooks[0]?.('request', { raw: 'raw' }, next);
    expect(entered).toEqual([['request', { raw: 'raw' }, 'raw', next]]);
  });

  it('by a hook behind those that are there, where Fastify keeps them elsewhere', () => {
    const added: [string, Step][] = [];
    const fastify = { addHook: (name: string, hook: Step) => added.push([name, hook]) };
    enterBefore(hostOf(adapterOf('fastify', fastify)), enter);
    expect(added).toEqual([['onRequest', expect.any(Function)]]);
  });

  it('nowhere in an application without an HTTP server, and where Nest does not tell of one', () => {
    const host = hostOf(null as never);
    enterBefore(host, enter);
    enterBefore({ httpAdapter: undefined } as unknown as HttpAdapterHost, enter);
    expect(entered).toEqual([]);
  });
});
