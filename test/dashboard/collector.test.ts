import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OperationCollector } from '../../lib/admin/operation-collector.js';
import { LatencySketch } from '../../lib/common/latency-sketch.js';
import { ErrorGroups } from '../../lib/dashboard/error-groups.js';
import type { TrackedError } from '../../lib/index.js';

const SHARES = [0.5, 0.95, 0.99];

function sketchOf(durations: number[]): LatencySketch {
  const sketch = new LatencySketch();
  for (const duration of durations) sketch.record(duration);
  return sketch;
}

/** The nearest rank, from all values. */
function exactly(durations: number[], share: number): number {
  const sorted = [...durations].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

describe('LatencySketch', () => {
  it('reads every quantile within 1 % of the true one', () => {
    const duration = fc.double({ min: 0.01, max: 7_000_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(duration, { minLength: 1, maxLength: 300 }), (durations) => {
        const read = sketchOf(durations).quantiles(SHARES);
        for (const [index, share] of SHARES.entries()) {
          const truth = exactly(durations, share);
          expect(Math.abs((read[index] as number) - truth) / truth).toBeLessThan(0.010_001);
        }
      }),
    );
  });

  it('adds up to what one sketch of everything would have read', () => {
    const [a, b] = [Array.from({ length: 500 }, (_, n) => n / 3), [1, 2_000, 90_000]];
    const sum = sketchOf(a);
    sum.add(sketchOf(b));
    expect(sum.quantiles(SHARES)).toEqual(sketchOf([...a, ...b]).quantiles(SHARES));
  });

  it('reads nothing where nothing was recorded, or everything forgotten', () => {
    const sketch = sketchOf([5]);
    expect(sketch.quantiles(SHARES)).toHaveLength(3);
    sketch.clear();
    expect(sketch.quantiles(SHARES)).toEqual([]);
  });

  it('takes whatever a clock can say', () => {
    for (const odd of [0, -1, Number.NaN, 1e-9])
      expect(sketchOf([odd]).quantiles([0.5])).toEqual([0.01]);
    expect(sketchOf([1e300]).quantiles([0.5])[0]).toBeGreaterThan(7_000_000);
  });
});

describe('OperationCollector', () => {
  function collecting() {
    const clock = { at: 100_000 };
    const collector = new OperationCollector(() => clock.at);
    const call = (operation: string, outcome = 'success', durationMs = 10) => {
      collector.increment('requests.total', { operation, outcome });
      collector.observe('request.duration', durationMs, { operation, outcome });
    };
    const read = (operation: string) => collector.read().get(operation);
    return { clock, collector, call, read };
  }

  it('tells rate, errors, hidden errors, retries and percentiles of each operation', () => {
    const { clock, collector, call, read } = collecting();
    for (let n = 0; n < 96; n++) call('charge', 'success', 100);
    call('charge', 'failure', 1_000);
    call('charge', 'failure', 1_000);
    call('charge', 'fallback', 1_000);
    call('charge', 'degraded', 1_000);
    for (const attempt of [1, 2, 1])
      collector.increment('retry.attempt', { operation: 'charge', attempt, error_type: 'Error' });
    call('other');
    clock.at += 20_000;
    const stats = read('charge');
    expect(stats).toMatchObject({ calls: 100, rate: 5, errorRate: 4, hiddenRate: 2, retries: 3 });
    expect(Math.abs((stats?.p50 ?? 0) - 100)).toBeLessThanOrEqual(1);
    expect(Math.abs((stats?.p95 ?? 0) - 100)).toBeLessThanOrEqual(1);
    expect(Math.abs((stats?.p99 ?? 0) - 1_000)).toBeLessThanOrEqual(10);
    expect(read('other')).toMatchObject({ calls: 1 });
  });

  it('forgets what is longer ago than a minute, and keeps what is less than 50 s', () => {
    const { clock, call, read } = collecting();
    call('charge', 'failure', 700);
    clock.at += 49_000;
    call('charge', 'success', 7);
    expect(read('charge')).toMatchObject({ calls: 2, errorRate: 50 });
    clock.at += 12_000;
    expect(read('charge')).toMatchObject({ calls: 1, errorRate: 0 });
    expect(read('charge')?.p99).toBeLessThan(8);
    clock.at += 3_600_000;
    const idle = { calls: 0, rate: 0, errorRate: 0, hiddenRate: 0, retries: 0 };
    expect(read('charge')).toEqual(idle);
    call('charge', 'success', 9);
    expect(read('charge')).toMatchObject({ calls: 1 });
    expect(read('charge')?.p50).toBeGreaterThan(8);
  });

  it('does not mix a slice with the one a minute before it, read or not', () => {
    const { clock, call, read } = collecting();
    call('charge', 'failure', 700);
    clock.at += 60_000;
    call('charge', 'success', 7);
    expect(read('charge')).toMatchObject({ calls: 1, errorRate: 0 });
    expect(read('charge')?.p99).toBeLessThan(8);
  });

  it('keeps a bounded number of operations apart, and counts the rest as one', () => {
    const { collector, call, read } = collecting();
    for (let n = 0; n < 5_000; n++) call(`pipeline-${n}`);
    expect(collector.read().size).toBe(1_001);
    expect(read('__other__')?.calls).toBe(4_000);
    expect(read('pipeline-999')?.calls).toBe(1);
  });

  it('counts calls that were rejected, which say nothing of how long calls take', () => {
    const { collector, call } = collecting();
    call('charge', 'success', 100);
    for (let n = 0; n < 9; n++)
      collector.increment('requests.total', { operation: 'charge', outcome: 'failure' });
    const { calls, errorRate, p50 } = collector.read().get('charge') ?? {};
    expect([calls, errorRate]).toEqual([10, 90]);
    expect(p50).toBeCloseTo(100, -1);
  });

  it('leaves other metrics alone', () => {
    const { collector } = collecting();
    collector.increment('circuit.open', { breaker: 'payments' });
    collector.increment('errors.total', { operation: 'charge', outcome: 'success' });
    collector.observe('something.else', 3, { operation: 'charge' });
    collector.gauge('bulkhead.running', 1, { bulkhead: 'charge' });
    expect(collector.read().size).toBe(0);
  });
});

describe('ErrorGroups', () => {
  const error = (message: string, handled = false, timestamp = 'T1'): TrackedError => {
    const context = { service: 'Payments', operation: 'charge', upstream: 'payments-api' };
    return { error: message, type: 'UpstreamError', message, context, handled, timestamp };
  };

  it('counts errors that look the same as one, and puts the latest first', () => {
    const groups = new ErrorGroups();
    groups.add(error('cause', false, 'T1'));
    for (let n = 0; n < 10_000; n++) groups.add(error('consequence', true, 'T2'));
    groups.add(error('cause', true, 'T3'));
    expect(groups.newestFirst()).toEqual([
      expect.objectContaining({ message: 'cause', count: 2, handled: 1, at: 'T3' }),
      expect.objectContaining({ message: 'consequence', count: 10_000, handled: 10_000, at: 'T2' }),
    ]);
  });

  it('keeps 50 of them, and 500 characters of a message', () => {
    const groups = new ErrorGroups();
    for (let n = 0; n < 100_000; n++) groups.add(error(`order ${n}`));
    groups.add(error('x'.repeat(5_000)));
    const all = groups.newestFirst();
    expect(all).toHaveLength(50);
    expect(all[0]?.message).toHaveLength(500);
    expect(all[1]?.message).toBe('order 99999');
  });
});
