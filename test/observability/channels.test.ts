import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ResilienceEvent } from '../../lib/index.js';
import { ResilienceApp } from '../support/resilience-app.js';

let app: ResilienceApp;
beforeAll(async () => {
  app = await ResilienceApp.boot();
  jest.useRealTimers();
});
afterAll(() => app.close());

/** What a tool outside the application hears. */
async function heard(type: ResilienceEvent['type'], cause: () => Promise<unknown>) {
  const events: unknown[] = [];
  const listen = (event: unknown) => void events.push(event);
  subscribe(`nestjs-bulwark:${type}`, listen);
  await cause().catch(() => undefined);
  unsubscribe(`nestjs-bulwark:${type}`, listen);
  return events;
}

const fails = () => Promise.reject(new Error('down'));

describe('The diagnostics channels', () => {
  const rejecting = (options: object) => () => app.pipeline(options).execute(fails);
  it.each([
    ['retry', { name: 'r', retry: { maxAttempts: 2, baseDelayMs: 0 } }, { operation: 'r' }],
    ['degraded', { name: 'd', critical: false }, { operation: 'd' }],
    ['alert', { name: 'a', critical: true }, { operation: 'a', suppressed: 0 }],
    ['fallback', { name: 'f', fallback: () => 1 }, { operation: 'f', succeeded: true }],
    [
      'circuit-state',
      { name: 'c', circuitBreaker: { failureThreshold: 1 } },
      { breaker: 'c', from: 'CLOSED', to: 'OPEN' },
    ],
  ] as const)('carry the event %s', async (type, options, expected) => {
    const events = await heard(type, rejecting(options));
    expect(events).toEqual([expect.objectContaining({ type, ...expected })]);
  });

  it('carry timeouts and rejections', async () => {
    const hang = () => new Promise<never>(() => undefined);
    const slow = app.pipeline({ name: 't', timeoutMs: 1 });
    expect(await heard('timeout', () => slow.execute(hang))).toHaveLength(1);
    const full = app.pipeline({ name: 'b', bulkhead: { maxConcurrent: 1, queueLimit: 0 } });
    void full.execute(hang);
    expect(await heard('bulkhead-rejected', () => full.execute(hang))).toHaveLength(1);
    const open = app.pipeline({ name: 'o', circuitBreaker: {} });
    app.breakers.get('o').forceOpen();
    expect(await heard('circuit-rejected', () => open.execute(hang))).toHaveLength(1);
  });

  it('cost nothing where nobody listens: no event is made', async () => {
    // Another test file in this process may have left a subscriber, so what is there is told here.
    const timeouts = channel('nestjs-bulwark:timeout');
    const all = channel('nestjs-bulwark:event');
    Object.defineProperty(all, 'hasSubscribers', { get: () => false, configurable: true });
    const publish = jest.spyOn(timeouts, 'publish');
    let ms = Date.now();
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => ms++); // no time is as text already
    const stringify = jest.spyOn(Date.prototype, 'toISOString');
    const slow = app.pipeline({ timeoutMs: 1 });
    const timesMade = async (isHeard: boolean) => {
      Object.defineProperty(timeouts, 'hasSubscribers', { get: () => isHeard, configurable: true });
      stringify.mockClear();
      await slow.execute(() => new Promise<never>(() => undefined)).catch(() => undefined);
      return stringify.mock.calls.length;
    };
    await timesMade(false);
    const unheard = await timesMade(false);
    expect(publish).not.toHaveBeenCalled();
    expect(await timesMade(true)).toBe(unheard + 1);
    expect(publish).toHaveBeenCalledTimes(1);
    for (const told of [timeouts, all]) Reflect.deleteProperty(told, 'hasSubscribers');
    for (const spy of [clock, stringify, publish]) spy.mockRestore();
  });
});
