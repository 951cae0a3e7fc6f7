import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import ts from 'typescript';
import { currentAttempt, currentSignal, detached, Hedge, Retry } from '../../lib/index.js';
import { booting, elapse, never, watch } from '../support/resilience-app.js';

const boot = booting();
afterEach(() => {
  jest.restoreAllMocks();
});

const here = dirname(fileURLToPath(import.meta.url));
const page = readFileSync(join(here, '../../docs/policies/retry.md'), 'utf8');

/** What a recipe uses, but for the `fetch` of a test. */
const USED = { Injectable, currentAttempt, currentSignal, detached, Hedge, Retry };

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A class as it stands on the page. */
function recipe<T>(name: string, fetch: Fetch): new () => T {
  const snippets = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);
  const snippet = snippets.find((code) => code.includes(`class ${name} `)) ?? '';
  const { outputText } = ts.transpileModule(snippet, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  const given = { ...USED, fetch, exports: {} as Record<string, new () => T> };
  new Function(...Object.keys(given), outputText)(...Object.values(given));
  return given.exports[name] as new () => T;
}

describe('By the recipes on the page of @Retry', () => {
  it('a token is refreshed after a 401, once for all calls that have met the old one', async () => {
    let valid = 'first';
    let issued = 0;
    const OrdersClient = recipe<{ orders(): Promise<Response> }>(
      'OrdersClient',
      async (url, { headers }) => {
        if (url === 'http://auth/token') {
          issued++;
          await new Promise((resolve) => setTimeout(resolve, 5));
          return new Response(valid);
        }
        const { authorization } = headers as { authorization: string };
        return new Response(null, { status: authorization === `Bearer ${valid}` ? 200 : 401 });
      },
    );
    const app = await boot({}, [OrdersClient]);
    const client = app.module.get(OrdersClient);
    const statuses = async () => {
      const results = [1, 2, 3].map(() => watch(client.orders()));
      await elapse(20);
      return results.map(({ value }) => value?.status);
    };
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(issued).toBe(1);
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(issued).toBe(1);
    valid = 'second';
    expect(await statuses()).toEqual([200, 200, 200]);
    expect(issued).toBe(2);
  });

  it('a token that is not to be had ends the call', async () => {
    const OrdersClient = recipe<{ orders(): Promise<Response> }>('OrdersClient', async (url) => {
      if (url === 'http://auth/token') throw new Error('no token');
      return new Response(null, { status: 401 });
    });
    const app = await boot({}, [OrdersClient]);
    const result = watch(app.module.get(OrdersClient).orders());
    await elapse(20);
    expect(result.error).toMatchObject({ message: 'no token', cause: { name: 'FailedResult' } });
  });

  it('each attempt asks the next replica, and so does the one beside it', async () => {
    const asked: string[] = [];
    const answers: Record<string, () => Promise<Response>> = {
      'http://replica-a': async () => new Response(null, { status: 500 }),
      'http://replica-b': never,
      'http://replica-c': async () => Response.json({ id: 'p1' }),
    };
    const CatalogueReplicas = recipe<{ product(id: string): Promise<unknown> }>(
      'CatalogueReplicas',
      (url) => {
        const { origin } = new URL(url);
        asked.push(origin);
        return answers[origin]?.() as Promise<Response>;
      },
    );
    jest.spyOn(Math, 'random').mockReturnValue(0); // no wait
    const app = await boot({}, [CatalogueReplicas]);
    const result = watch(app.module.get(CatalogueReplicas).product('p1'));
    await elapse(60);
    expect(result.value).toEqual({ id: 'p1' });
    expect(asked).toEqual(['http://replica-a', 'http://replica-b', 'http://replica-c']);
  });
});
