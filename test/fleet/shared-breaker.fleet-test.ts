import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { Membership } from '../../lib/fleet/membership.js';
import { CircuitBreakerOpenError, CircuitBreakerPolicy, CircuitState } from '../../lib/index.js';
import { RedisFleet } from '../../lib/redis/index.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { NO_REPORTS } from '../support/fleet-reports.js';
import { type Redis, startRedis } from '../support/redis.js';
import { Deferred } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

const OPTIONS = {
  failureThreshold: 2,
  successThreshold: 2,
  timeoutMs: 1_000,
  shared: true,
} as const;

describe('Instances that share a circuit breaker over Redis', () => {
  let redis: Redis;
  let client: Client;
  const memberships: Membership[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    client = new Client(redis.connection);
  });
  afterEach(async () => {
    for (const each of memberships.splice(0)) await each.end();
  });
  afterAll(async () => {
    client.disconnect();
    await redis.stop();
  });

  async function start(): Promise<{ breaker: CircuitBreakerPolicy; events: StageEvent[] }> {
    const patient = { probeWaitMs: 1_000, commandTimeoutMs: 1_000, warmStartMs: 5_000 }; // on a machine that is busy
    const fleet = new RedisFleet({ client, namespace: 'shop', ...patient });
    const membership = new Membership(fleet, NO_REPORTS);
    memberships.push(membership);
    const events: StageEvent[] = [];
    const host = { ...stageHost((event) => events.push(event)), fleet: membership };
    const breaker = new CircuitBreakerPolicy('payments', OPTIONS, host);
    await membership.begin();
    return { breaker, events };
  }

  /** Waits for what the others are told. */
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  it('open together, probe by so many calls as one would, and close together', async () => {
    const instances = [await start(), await start(), await start(), await start()];
    const breakers = instances.map(({ breaker }) => breaker);
    const all = (state: CircuitState) => breakers.every((each) => each.getState() === state);
    let isDown = true;
    let reached = 0;
    let rejected = 0;
    const answered = new Deferred<void>();
    const call = (breaker: CircuitBreakerPolicy) =>
      breaker
        .execute(async () => {
          reached++;
          if (isDown) throw new Error('down');
          await answered.promise;
        })
        .catch((error) => {
          if (error instanceof CircuitBreakerOpenError) rejected++;
        });
    for (const breaker of breakers.slice(0, 2)) {
      await call(breaker);
      await call(breaker);
    }
    await until(() => all(CircuitState.OPEN));
    expect(reached).toBe(4);
    const late = await start();
    expect(late.breaker.getState()).toBe(CircuitState.OPEN);
    breakers.push(late.breaker);
    await until(() => breakers.every((each) => each.getSnapshot().retryAfterMs === 0));
    isDown = false;
    reached = 0;
    const calls = breakers.map(call);
    await until(() => rejected === breakers.length - OPTIONS.successThreshold);
    expect(reached).toBe(OPTIONS.successThreshold);
    answered.resolve();
    await Promise.all(calls);
    await until(() => all(CircuitState.CLOSED));
    expect(late.events.at(-1)).toMatchObject({ to: 'CLOSED', reason: 'fleet-closed' });
  });
});
