import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RateLimitPolicy, resilientFetch } from '../../lib/index.js';
import { pauseToldBy } from '../../lib/rate-limit/pushback.js';
import { HOSTILE_ERRORS } from '../support/hostile-errors.js';
import { booting, elapse, failure, watch } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

const boot = booting();
const NOW = Date.UTC(2026, 0, 1);

const adapting = (maxWaitMs = 0) =>
  new RateLimitPolicy('partner', { limit: 10, maxWaitMs, adaptToResponses: true });

const answer = (headers: Record<string, string>, status = 429) =>
  Object.assign(new Error('refused'), { response: { status, headers } });

/** How long the rate limit lets nobody in after a call that has failed so. */
async function pauseAfter(error: unknown): Promise<number> {
  const policy = adapting();
  await failure(policy.execute(() => Promise.reject(error)));
  return policy.getSnapshot().pausedMs;
}

async function pauseAfterResult(result: unknown): Promise<number> {
  const policy = adapting();
  await policy.execute(async () => result);
  return policy.getSnapshot().pausedMs;
}

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
});
describe('A rate limit that adapts', () => {
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it.each<[string, Record<string, string>, number]>([
    ['Retry-After in seconds', { 'retry-after': '3' }, 3_000],
    ['Retry-After as a date', { 'Retry-After': new Date(NOW + 5_000).toUTCString() }, 5_000],
    ['retry-after-ms', { 'retry-after-ms': '250' }, 250],
    ['a RateLimit whose quota is used up', { ratelimit: '"default";r=0;t=7' }, 7_000],
    [
      'the longest quota that is used up',
      { ratelimit: '"a";r=0;t=2, "b";r=0;t=9, "c";r=4;t=90' },
      9_000,
    ],
    ['the next quota where none is', { ratelimit: '"a";r=3;t=20, "b";r=1;t=4' }, 4_000],
    [
      'the window of RateLimit-Policy',
      { ratelimit: '"a";r=0', 'ratelimit-policy': '"b";q=9;w=5,"a";q=100;w=60' },
      60_000,
    ],
    ['a name with commas and quotes', { ratelimit: '"a, \\"b\\"; c" ; r=0 ; t=6' }, 6_000],
    ['an earlier draft', { RateLimit: 'limit=100, remaining=0, reset=8' }, 8_000],
    ['RateLimit-Reset', { 'RateLimit-Remaining': '0', 'RateLimit-Reset': '11' }, 11_000],
    ['X-RateLimit-Reset in seconds', { 'X-RateLimit-Reset': '1.5' }, 1_500],
    ['X-RateLimit-Reset as a time', { 'x-ratelimit-reset': String(NOW / 1_000 + 12) }, 12_000],
    ['X-RateLimit-Reset as a time in ms', { 'x-ratelimit-reset': String(NOW + 1_300) }, 1_300],
    ['Retry-After before the others', { 'retry-after': '1', ratelimit: '"a";r=0;t=7' }, 1_000],
    ['no more than a day', { 'retry-after': '999999999' }, 86_400_000],
  ])('stops all callers by a 429 for as long as %s says', async (_, headers, pausedMs) => {
    expect(await pauseAfter(answer(headers))).toBe(pausedMs);
    expect(await pauseAfter({ status: 429, headers: new Headers(headers) })).toBe(pausedMs);
    expect(await pauseAfter(new Error('outer', { cause: answer(headers) }))).toBe(pausedMs);
    expect(
      await pauseAfter(new AggregateError([answer({ 'retry-after': '0' }), answer(headers)])),
    ).toBe(pausedMs);
  });

  it.each<[string, unknown]>([
    ['a 429 that does not say how long', answer({})],
    [
      'a 429 that says nothing to be understood',
      answer({ 'retry-after': 'soon', ratelimit: '"a";r=no;t=', 'x-ratelimit-reset': 'tomorrow' }),
    ],
    ['a date that has passed', answer({ 'retry-after': new Date(NOW - 5_000).toUTCString() })],
    ['a reset that has passed', answer({ 'x-ratelimit-reset': String(NOW / 1_000 - 5) })],
    ['a 503 without Retry-After', answer({ ratelimit: '"a";r=0;t=7' }, 503)],
    ['another failure with Retry-After', answer({ 'retry-after': '3' }, 500)],
    ['an error without an answer', new Error('down')],
    ['no object at all', 'down'],
    ['undefined', undefined],
  ])('does not stop anybody by %s', async (_, error) => {
    expect(await pauseAfter(error)).toBe(0);
  });

  it('hears a 503 with Retry-After, and what gRPC says of the same', async () => {
    expect(await pauseAfter(answer({ 'retry-after': '3' }, 503))).toBe(3_000);
    const metadata = { get: (name: string) => (name === 'grpc-retry-pushback-ms' ? ['400'] : []) };
    expect(await pauseAfter(Object.assign(new Error('exhausted'), { code: 8, metadata }))).toBe(
      400,
    );
    expect(await pauseAfter(Object.assign(new Error('internal'), { code: 13, metadata }))).toBe(0);
  });

  it('hears an answer that was not thrown: a 429, and a success after which nothing is left', async () => {
    const response = (status: number, headers: Record<string, string>) =>
      new Response(null, { status, headers });
    expect(await pauseAfterResult(response(429, { 'retry-after': '2' }))).toBe(2_000);
    expect(await pauseAfterResult(response(200, { ratelimit: '"a";r=0;t=3' }))).toBe(3_000);
    expect(
      await pauseAfterResult(
        response(200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '4' }),
      ),
    ).toBe(4_000);
    expect(
      await pauseAfterResult({
        status: 200,
        headers: { 'ratelimit-remaining': '0', 'ratelimit-reset': '5' },
      }),
    ).toBe(5_000); // axios
    expect(await pauseAfterResult(response(200, { ratelimit: '"a";r=1;t=3' }))).toBe(0);
    expect(await pauseAfterResult(response(200, { 'retry-after': '2' }))).toBe(0);
    expect(await pauseAfterResult(response(200, {}))).toBe(0);
    expect(await pauseAfterResult({ headers: { ratelimit: '"a";r=0;t=3' } })).toBe(0); // no answer of HTTP
    expect(await pauseAfterResult(null)).toBe(0);
  });

  it('lets one begin when the time has passed, and more at the rate of the limit', async () => {
    const policy = adapting(10_000);
    await failure(policy.execute(() => Promise.reject(answer({ 'retry-after': '3' }))));
    const began: number[] = [];
    for (let call = 0; call < 4; call++)
      watch(policy.execute(async () => void began.push(Date.now() - NOW)));
    await elapse(10_000);
    expect(began).toEqual([3_000, 3_100, 3_200, 3_300]);
  });

  it('refuses at once whose turn comes too late, of those who wait as well', async () => {
    const policy = adapting(1_000);
    for (let call = 0; call < 9; call++) await policy.execute(async () => call);
    let refuse!: (error: unknown) => void;
    const running = watch(
      policy.execute(
        () =>
          new Promise((_, reject) => {
            refuse = reject;
          }),
      ),
    );
    const waiting = watch(policy.execute(async () => 'waiting'));
    refuse(answer({ 'retry-after': '5' }));
    await elapse(0);
    expect(running.error).toMatchObject({ message: 'refused' });
    expect(waiting.error).toMatchObject({ reason: 'limit', retryAfterMs: 5_000 });
    expect(await failure(policy.execute(async () => 1))).toMatchObject({
      reason: 'limit',
      retryAfterMs: 5_000,
    });
    await elapse(4_999);
    const next = watch(policy.execute(async () => 'next'));
    expect(policy.getSnapshot()).toMatchObject({ pausedMs: 1, queued: 1 });
    await elapse(1);
    expect(next.value).toBe('next');
    expect(policy.getSnapshot()).toMatchObject({ pausedMs: 0, available: 0 });
  });

  it('stays stopped for as long as the latest answer says, whatever limit is set, and for no shorter', async () => {
    const policy = adapting();
    const hear = (seconds: string) =>
      failure(policy.execute(() => Promise.reject(answer({ 'retry-after': seconds }))));
    const both = [hear('1'), hear('4'), hear('2')];
    await Promise.all(both);
    expect(policy.getSnapshot()).toMatchObject({ pausedMs: 4_000, available: 0 });
    policy.setLimit(1_000);
    await elapse(3_999);
    expect(policy.getSnapshot()).toMatchObject({ pausedMs: 1, available: 0 });
    policy.setLimit(1);
    await elapse(1);
    expect(policy.getSnapshot()).toMatchObject({ pausedMs: 0, available: 1 });
  });

  it('leaves to the limit of another partner what is answered there', async () => {
    const [outer, inner] = [adapting(), adapting()];
    await failure(
      outer.execute(() => inner.execute(() => Promise.reject(answer({ 'retry-after': '3' })))),
    );
    expect(inner.getSnapshot().pausedMs).toBe(3_000);
    expect(outer.getSnapshot().pausedMs).toBe(0);
    // Nor what its client makes an error of its own of.
    await elapse(3_000);
    const told = inner
      .execute(() => Promise.reject(answer({ 'retry-after': '3' })))
      .catch((cause) => Promise.reject(new Error('no rates', { cause })));
    await failure(outer.execute(() => told));
    expect(inner.getSnapshot().pausedMs).toBe(3_000);
    expect(outer.getSnapshot().pausedMs).toBe(0);
    // A refusal of ours is no answer of a partner.
    await failure(outer.execute(() => inner.execute(async () => 1)));
    expect(outer.getSnapshot().pausedMs).toBe(0);
  });

  it.each(Object.entries(HOSTILE_ERRORS))(
    'lets %s through as it is, thrown or answered',
    async (_, make) => {
      const policy = adapting();
      const thrown = make();
      const call = watch(policy.execute(() => Promise.reject(thrown)));
      await elapse(0);
      expect([call.state, Object.is(call.error, thrown)]).toEqual(['rejected', true]);
      const answered = Object.freeze([make()]); // in something, as a promise would follow a thenable
      expect(await policy.execute(async () => answered)).toBe(answered);
      expect(pauseToldBy(make(), policy)).toBeUndefined();
      expect(policy.getSnapshot().pausedMs).toBe(0);
    },
  );

  it('hears nothing where it is not to', async () => {
    const policy = new RateLimitPolicy('deaf', { limit: 10 });
    await failure(policy.execute(() => Promise.reject(answer({ 'retry-after': '3' }))));
    expect(policy.getSnapshot()).toMatchObject({ pausedMs: 0, available: 9 });
  });

  it('tells once of a stop, by an event and a metric', async () => {
    const app = await boot();
    const events: unknown[] = [];
    const subscription = app.events.events$.subscribe((event) => events.push(event));
    const rateLimit = { limit: 10, adaptToResponses: true };
    const pipeline = app.pipeline({ name: 'partner', rateLimit });
    const fail = () =>
      failure(pipeline.execute(() => Promise.reject(answer({ 'retry-after': '3' }))));
    await Promise.all([fail(), fail(), fail()]);
    subscription.unsubscribe();
    expect(
      events.filter((event) => (event as { type: string }).type === 'rate-limit-paused'),
    ).toEqual([
      {
        type: 'rate-limit-paused',
        rateLimit: 'partner',
        pauseMs: 3_000,
        timestamp: expect.any(String),
      },
    ]);
    expect(app.metrics.get('rate_limit.paused', { rate_limit: 'partner' })).toBe(1);
  });

  it('outlives a listener of its events that throws', async () => {
    const host = stageHost(() => {
      throw new Error('deaf');
    });
    const policy = new RateLimitPolicy('partner', { limit: 1, adaptToResponses: true }, host);
    await expect(
      policy.execute(() => Promise.reject(answer({ 'retry-after': '3' }))),
    ).rejects.toBeDefined();
    expect(policy.getSnapshot().pausedMs).toBe(3_000);
  });
});

describe('A real partner', () => {
  let server: Server;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it('that answers 429 is called by nobody until it has said so, by resilientFetch', async () => {
    jest.useRealTimers();
    let requests = 0;
    server = createServer((_, response) => {
      requests++;
      response.writeHead(429, { RateLimit: '"default";r=0;t=60' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const app = await boot();
    jest.useRealTimers();
    const rateLimit = { limit: 10, adaptToResponses: true };
    const pipeline = app.pipeline({ name: 'partner', rateLimit, timeoutMs: 30_000 });
    const call = () => failure(pipeline.execute(() => resilientFetch(`http://127.0.0.1:${port}/`)));
    expect(await call()).toMatchObject({ status: 429 });
    expect(await call()).toMatchObject({ code: 'RATE_LIMITED', reason: 'limit' });
    expect(requests).toBe(1);
  });
});
