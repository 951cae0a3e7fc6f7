import { Controller, Get, Headers, Injectable, type Type } from '@nestjs/common';
import { type ResilienceModuleOptions, Retry, resilientFetch } from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from '../edge/adapters.support.js';
import { never } from '../edge/waiting.js';

afterEach(closeAll);

/** What a service saw of a request that reached it. */
type Seen = Record<string, string | undefined>;

describe.each([EXPRESS, FASTIFY])(
  'Three services on $name, each of which makes 4 attempts',
  (platform) => {
    const seen: Seen[][] = [];
    beforeEach(() => seen.splice(0));

    async function serve(
      controller: Type,
      providers: Type[] = [],
      options?: ResilienceModuleOptions,
    ) {
      const { app } = await listen(platform, { controllers: [controller], providers }, options);
      return app.getUrl();
    }

    async function serveLeaf(answer: () => Promise<string>): Promise<string> {
      const calls: Seen[] = [];
      seen.unshift(calls);
      @Controller()
      class Leaf {
        @Get()
        async get(@Headers() headers: Seen): Promise<string> {
          calls.push(headers);
          return answer();
        }
      }
      return serve(Leaf);
    }

    async function serveTier(next: string, options?: ResilienceModuleOptions): Promise<string> {
      const calls: Seen[] = [];
      seen.unshift(calls);
      @Injectable()
      class Client {
        @Retry({ maxAttempts: 4, baseDelayMs: 1 })
        async get(): Promise<string> {
          return (await resilientFetch(next)).text();
        }
      }
      @Controller()
      class Tier {
        constructor(private readonly client: Client) {}
        @Get()
        get(@Headers() headers: Seen): Promise<string> {
          calls.push(headers);
          return this.client.get();
        }
      }
      return serve(Tier, [Client], options);
    }

    /** @returns the address of the outermost of three tiers in front of a leaf */
    async function chain(answer: () => Promise<string>, options?: ResilienceModuleOptions) {
      let url = await serveLeaf(answer);
      for (let tier = 0; tier < 3; tier++) url = await serveTier(url, options);
      return url;
    }

    it('make 4 calls of a dead leaf, not 64', async () => {
      const url = await chain(async () => {
        throw new Error('down');
      });
      const response = await fetch(url);
      expect(response.status).toBe(500);
      expect(response.headers.get('x-should-retry')).toBe('false');
      expect(seen.map(({ length }) => length)).toEqual([1, 1, 1, 4]);
      expect(seen[3]?.map((headers) => headers['x-request-attempt'])).toEqual(['1', '2', '3', '4']);
    });

    it('make as many calls as it takes of a leaf that comes back', async () => {
      let calls = 0;
      const url = await chain(async () => {
        if (++calls < 4) throw new Error('down');
        return 'done';
      });
      expect(await (await fetch(url)).text()).toBe('done');
      expect(seen.map(({ length }) => length)).toEqual([1, 1, 1, 4]);
    });

    it('hand the deadline on, and it shrinks', async () => {
      const url = await chain(async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return 'done';
      });
      await fetch(url, { headers: { 'x-request-timeout-ms': '50000' } });
      const left = seen.map(([headers]) => Number(headers?.['x-request-timeout-ms']));
      expect(left[0]).toBe(50_000);
      for (let tier = 1; tier < 4; tier++)
        expect(left[tier]).toBeLessThan(left[tier - 1] as number);
      expect(left[3]).toBeGreaterThan(30_000);
    });

    it('send none where there is none', async () => {
      await fetch(await chain(async () => 'done'));
      for (const [headers] of seen.slice(1)) {
        expect(headers).toHaveProperty(['x-request-attempt'], '1');
        expect(headers).not.toHaveProperty(['x-request-timeout-ms']);
        expect(headers).not.toHaveProperty(['x-request-criticality']);
      }
    });

    it('all end at the deadline of the outermost, without another attempt', async () => {
      const url = await chain(never);
      const response = await fetch(url, { headers: { 'x-request-timeout-ms': '1500' } });
      expect(response.status).toBe(504);
      expect(seen.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
    });

    it('hand criticality on where they trust each other', async () => {
      const url = await chain(async () => 'done', { inbound: { trustCriticality: true } });
      await fetch(url, { headers: { 'x-request-criticality': 'sheddable' } });
      const said = seen.map(([headers]) => headers?.['x-request-criticality']);
      expect(said).toEqual(['sheddable', 'sheddable', 'sheddable', 'sheddable']);
    });
  },
);
