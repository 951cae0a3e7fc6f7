import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ErrorTrackerOptions, Mode } from '../../lib/index.js';
import { RecordingLogger } from '../binding/support.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { booting, elapse, failure, flush } from '../support/resilience-app.js';

type Fields = { [field: string]: unknown };

const boot = booting();
let logger: RecordingLogger;
beforeEach(() => {
  logger = new RecordingLogger();
});

/** An application with a breaker that opens at two failures, and what it writes. */
async function app(errorTracker: ErrorTrackerOptions = {}, mode: Mode = 'enforce') {
  const running = await boot({
    errorTracker,
    breakers: { payments: { failureThreshold: 2, timeoutMs: 5_000, successThreshold: 1, mode } },
  });
  Logger.overrideLogger(logger); // Nest's testing module has put its own there
  const pay = running.pipeline({ name: 'pay', circuitBreaker: 'payments' });
  const cause = new Error('connect http://u:hunter2@bank');
  const fails = () => failure(pay.execute(() => Promise.reject(new TypeError('down', { cause }))));
  const succeeds = () => pay.execute(async () => 'ok');
  return { running, fails, succeeds, breaker: running.breakers.get('payments') };
}

const written = () =>
  logger.records
    .filter(({ context }) => context === 'CircuitBreaker')
    .map(({ level, message }) => ({ level, ...(message as Fields) }) as Fields);

describe('A transition of a circuit breaker', () => {
  it('is one record: openings at warn with their reason, counts, error and next probe', async () => {
    const { fails } = await app();
    for (let n = 0; n < 5; n++) await fails();
    expect(written()).toEqual([
      {
        level: 'warn',
        event: 'circuit_state',
        message:
          'Circuit breaker "payments" opened; 2 of 2 calls failed (100 %); last error: TypeError: down' +
          ' (cause: Error: connect http://[redacted]@bank); next probe in 5 s',
        breaker: 'payments',
        from: 'CLOSED',
        to: 'OPEN',
        reason: 'failure-threshold',
        calls: 2,
        failures: 2,
        failure_rate: 100,
        error_type: 'TypeError',
        error_message: 'down',
        cause_type: 'Error',
        cause_message: 'connect http://[redacted]@bank',
        retry_after_ms: 5_000,
        timestamp: expect.any(String),
      },
    ]);
  });

  it('is at warn for a failed probe too, at debug for half-open, and at log for closing', async () => {
    const { fails, succeeds } = await app();
    for (let n = 0; n < 2; n++) await fails();
    await elapse(5_000);
    await fails();
    await elapse(5_000);
    await succeeds();
    expect(written().map(({ level, to, reason }) => [level, to, reason])).toEqual([
      ['warn', 'OPEN', 'failure-threshold'],
      ['debug', 'HALF_OPEN', 'open-time-passed'],
      ['warn', 'OPEN', 'probe-failed'],
      ['log', 'CLOSED', 'probes-succeeded'],
    ]);
  });

  it('that somebody has ordered of the whole fleet says where that was', async () => {
    const hub = new MemoryFleet();
    const breakers = { payments: {} };
    const elsewhere = await boot({ breakers, fleet: hub.fleet() });
    await boot({ breakers, fleet: hub.fleet(), errorTracker: {} });
    Logger.overrideLogger(logger);
    elsewhere.breakers.get('payments').forceOpen({ fleet: true });
    await flush();
    const by = hub.links[0]?.instance;
    expect(written().at(-1)).toMatchObject({
      level: 'warn',
      message: `Circuit breaker "payments" was forced open by the fleet, until reset(); ordered by ${by}`,
      reason: 'fleet-forced',
      by,
    });
  });

  it('by hand is written too: forced open at warn, disabled and reset at log', async () => {
    const { breaker } = await app();
    breaker.forceOpen();
    breaker.reset();
    breaker.disable();
    expect(written().map(({ level, reason }) => [level, reason])).toEqual([
      ['warn', 'forced-open'],
      ['log', 'reset'],
      ['log', 'disabled'],
    ]);
  });
});

describe('A circuit breaker that flaps', () => {
  const flap = async ({ fails, succeeds }: Awaited<ReturnType<typeof app>>, times: number) => {
    for (let n = 0; n < times; n++) {
      for (let call = 0; call < 2; call++) await fails();
      await elapse(5_000);
      await succeeds();
    }
  };

  it('by hand before a restart says who has ordered it, and what ends it', async () => {
    const { breaker } = await app();
    breaker.recall({ version: 1, state: 'FORCED_OPEN', by: 'alice' }, 1_000);
    const [{ message } = {}] = written();
    expect(message).toBe(
      'Circuit breaker "payments" goes on as before the restart: forced open, until reset(); ordered by alice',
    );
  });

  it('is said in shadow mode to be one that would have', async () => {
    await flap(await app({}, 'shadow'), 10);
    await elapse(10_000);
    expect(written().map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Circuit breaker "payments" would have opened/),
      expect.stringMatching(
        /^Circuit breaker "payments" in shadow mode would have changed its state 9 more times \(9 × would have opened\)\. The latest: /,
      ),
    ]);
  });

  it('writes each kind of transition once, and then one record a minute with how many followed', async () => {
    const running = await app();
    await flap(running, 10); // 50 s
    expect(written()).toHaveLength(3);
    await elapse(10_000);
    const [sum, ...more] = written().slice(3);
    expect(more).toEqual([]);
    expect(sum).toMatchObject({
      level: 'warn',
      event: 'circuit_state',
      to: 'CLOSED',
      repeated: 27,
    });
    expect(sum?.message).toMatch(
      /^Circuit breaker "payments" changed its state 27 more times \(9 × opened; 9 × .*; 9 × closed.*\) and is CLOSED now\./,
    );
    await elapse(600_000);
    expect(written()).toHaveLength(4);
    expect(jest.getTimerCount()).toBe(0);
    await flap(running, 1); // a new outage is told at once
    expect(written()).toHaveLength(7);
  });

  it('has what was counted told when the application closes', async () => {
    const { running, ...rest } = await app();
    await flap({ running, ...rest }, 2);
    expect(written()).toHaveLength(3);
    await running.close();
    expect(written().slice(3)).toMatchObject([{ repeated: 3 }]);
  });

  it('writes each transition with logIntervalMs: 0, and none with log: false', async () => {
    await flap(await app({ logIntervalMs: 0 }), 3);
    expect(written()).toHaveLength(9);
    await flap(await app({ log: false }), 3);
    expect(written()).toHaveLength(9);
  });

  it('does not keep another one, or another application, from being told at once', async () => {
    const [one, other] = [await app(), await app()];
    for (const { fails } of [one, other]) for (let n = 0; n < 2; n++) await fails();
    one.running.breakers.get('payments').reset();
    const extra = one.running.pipeline({ name: 'extra', circuitBreaker: { failureThreshold: 1 } });
    await failure(extra.execute(() => Promise.reject('text')));
    expect(written().map(({ breaker, to }) => [breaker, to])).toEqual([
      ['payments', 'OPEN'],
      ['payments', 'OPEN'],
      ['payments', 'CLOSED'],
      ['extra', 'OPEN'],
    ]);
  });
});
