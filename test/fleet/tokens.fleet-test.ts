import { describe, expect, test } from '@jest/globals';
import type { TokenRate, TokenRequest } from '../../lib/index.js';
import { TokenStore } from '../support/memory-tokens.js';
import { redisLinks } from '../support/redis-links.js';

const redis = redisLinks();
const { linked } = redis;

const SLOW: TokenRate = { limit: 10, intervalMs: 100_000, burst: 10 };

describe('Tokens in Redis', () => {
  test('are leased as those in memory are', async () => {
    const link = await linked('one');
    const memory = new TokenStore(() => undefined);
    const requests: [TokenRate, TokenRequest][] = [
      [SLOW, { balance: 0, wanted: 3, atLeast: 0 }],
      [SLOW, { balance: -2, wanted: 0, atLeast: 0 }],
      [SLOW, { balance: 1.25, wanted: 4, atLeast: 0 }],
      [SLOW, { balance: 0, wanted: 9, atLeast: 9 }],
      [SLOW, { balance: 0, wanted: 9, atLeast: 0 }],
      [SLOW, { balance: -3, wanted: 2, atLeast: 0 }],
      [SLOW, { balance: 20, wanted: 0, atLeast: 0 }],
      [
        { ...SLOW, limit: 5 },
        { balance: 0, wanted: 4, atLeast: 0 },
      ],
      [SLOW, { balance: 0, wanted: 1, atLeast: 1 }],
    ];
    for (const [rate, request] of requests) {
      const answer = await link.tokens.lease('partner', rate, request);
      const expected = memory.lease('partner', rate, request, 1_000_000);
      expect(answer).toEqual({ ...expected, waitMs: expect.anything() });
      // Time goes by between the questions.
      expect(Math.abs((answer?.waitMs ?? Number.NaN) - expected.waitMs)).toBeLessThan(9_000);
    }
  });

  test('fill up with time, and their bucket goes when it is full', async () => {
    const link = await linked('one');
    const rate = { limit: 1_000, intervalMs: 1_000, burst: 20 };
    await link.tokens.lease('partner', rate, { balance: 0, wanted: 20, atLeast: 0 });
    let granted = 0;
    while (granted === 0) {
      const lease = await link.tokens.lease('partner', rate, { balance: 0, wanted: 5, atLeast: 5 });
      granted = lease?.granted ?? 0;
    }
    expect(granted).toBe(5);
    const [key] = await redis.client.keys('*rate-limit*');
    expect(await redis.client.pttl(key as string)).toBeLessThanOrEqual(10_100);
    expect(await redis.client.pttl(key as string)).toBeGreaterThan(5_000);
  });

  test('are paused for all, who are told', async () => {
    const [one, other] = [await linked('one'), await linked('other')];
    const told = new Promise<number>((resolve) => {
      other.tokens.listen('partner', resolve);
    });
    await one.tokens.pause('partner', SLOW, 60_000);
    expect(await told).toBe(60_000);
    const request = { balance: 0, wanted: 5, atLeast: 0 };
    const lease = await other.tokens.lease('partner', SLOW, request);
    expect(lease).toMatchObject({ granted: 0, left: expect.any(Number), isDisputed: false });
    expect(lease?.left).toBeLessThanOrEqual(0);
    expect(lease?.waitMs).toBeGreaterThan(50_000);
    expect(await other.tokens.lease('another', SLOW, request)).toMatchObject({ granted: 5 });
  });

  test('are not blocked by a time that no instance can have brought about', async () => {
    const link = await linked('one');
    const request = { balance: 0, wanted: 1, atLeast: 0 };
    await link.tokens.lease('partner', SLOW, request);
    const [key] = await redis.client.keys('*rate-limit*');
    await redis.client.hset(key as string, { fullAt: '9e15', resumesAt: '9e15', pausedMs: '1' });
    const lease = await link.tokens.lease('partner', SLOW, request);
    expect(lease).toMatchObject({ granted: 0, left: 0 });
    expect(lease?.waitMs).toBeLessThanOrEqual(10_000); // as where it was just emptied
    for (const foreign of ['inf', 'nan', '1e300']) {
      await redis.client.hset(key as string, {
        fullAt: foreign,
        resumesAt: foreign,
        pausedMs: foreign,
      });
      expect(await link.tokens.lease('partner', SLOW, request)).toMatchObject({
        granted: 0,
        left: 0,
      });
    }
    await redis.client.hset(key as string, {
      fullAt: 'soon',
      resumesAt: 'never',
      pausedMs: 'long',
    });
    expect(await link.tokens.lease('partner', SLOW, request)).toMatchObject({ granted: 1 });
  });

  test('are not believed where a message or an answer is of another form', async () => {
    const refused: string[] = [];
    const link = await linked('one', refused);
    const heard: number[] = [];
    const told = new Promise<void>((resolve) => {
      link.tokens.listen('partner', (pauseMs) => {
        heard.push(pauseMs);
        resolve();
      });
    });
    const channel = 'bulwark:1:{shop}:0';
    for (const pauseMs of [-1, 1e12, '5', null, 0.5])
      await redis.client.publish(channel, JSON.stringify([1, 'pause', 'partner', pauseMs]));
    await redis.client.publish(channel, JSON.stringify([1, 'pause', 7, 5]));
    await redis.client.publish(channel, JSON.stringify([2, 'pause', 'partner', 5]));
    await redis.client.publish(channel, JSON.stringify([1, 'pause', 'partner', 5]));
    await told;
    expect(heard).toEqual([5]);
    expect(refused).toHaveLength(7);
  });
});
