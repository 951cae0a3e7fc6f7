import { describe, expect, it } from '@jest/globals';
import { OperationCollector } from '../../lib/admin/operation-collector.js';
import type { DashboardState } from '../../lib/dashboard/dashboard-state.js';
import type { Frame } from '../../lib/dashboard/frame.js';
import { Frames } from '../../lib/dashboard/frames.js';

const SLICE = 10_000;

function collecting() {
  const clock = { at: 0 };
  const collector = new OperationCollector(() => clock.at);
  const call = (operation: string, outcome = 'success', durationMs: number | null = 10) => {
    collector.increment('requests.total', { operation, outcome });
    if (durationMs !== null)
      collector.observe('request.duration', durationMs, { operation, outcome });
  };
  const of = (operation: string) => new Map(collector.trends().operations).get(operation);
  return { clock, collector, call, of };
}

describe('The trends of operations', () => {
  it('tell of each ten seconds the calls, the failures that callers saw, those that they did not, and the p99', () => {
    const { clock, collector, call, of } = collecting();
    for (let n = 0; n < 99; n++) call('charge', 'success', 100);
    call('charge', 'failure', 1_000);
    call('charge', 'fallback', 1_000);
    for (let n = 0; n < 3; n++) collector.increment('retry.attempt', { operation: 'charge' });
    expect(of('charge')).toEqual([]); // the slice is not over
    clock.at += SLICE;
    const [[calls, seen, hidden, p99] = []] = of('charge') as number[][];
    expect([calls, seen, hidden]).toEqual([101, 1, 4]);
    expect(Math.abs((p99 ?? 0) - 1_000)).toBeLessThanOrEqual(11);
  });

  it('have no latency where no call reached what it calls, and nothing at all while there are no calls', () => {
    const { clock, call, of } = collecting();
    call('charge');
    clock.at += SLICE;
    call('charge', 'failure', null);
    clock.at += 3 * SLICE;
    call('charge');
    clock.at += SLICE;
    expect(of('charge')).toEqual([
      [1, 0, 0, expect.closeTo(10, 0)],
      [1, 1, 0, null],
      0,
      0,
      [1, 0, 0, expect.closeTo(10, 0)],
    ]);
  });

  it('say nothing of the time before the first call of an operation', () => {
    const { clock, collector, call } = collecting();
    call('early');
    clock.at += 5 * SLICE;
    call('late');
    clock.at += SLICE;
    const { first, last, all, operations } = collector.trends();
    expect([first, last, all.length]).toEqual([0, 5, 6]);
    expect(operations.map(([name, points]) => [name, points.length])).toEqual([
      ['early', 6],
      ['late', 1],
    ]);
  });

  it('keep a quarter of an hour, also where nobody looks and calls come seldom', () => {
    const { clock, collector, call, of } = collecting();
    for (let minute = 0; minute < 60; minute++) {
      call('charge', 'failure', minute + 1);
      clock.at += 60_000;
      collector.turn();
    }
    const points = of('charge') ?? [];
    expect(points).toHaveLength(90);
    const calls = points.filter((point) => point !== 0);
    expect(calls).toHaveLength(15);
    expect(Math.round(calls[0]?.[3] ?? 0)).toBe(46);
    clock.at += 2 * 3_600_000;
    expect(of('charge')).toEqual(new Array(90).fill(0));
    call('charge');
    clock.at += SLICE;
    expect(of('charge')?.filter((point) => point !== 0)).toHaveLength(1);
  });

  it('add up to those of all operations, whose p99 is that of all calls together', () => {
    const { clock, collector, call } = collecting();
    for (let n = 0; n < 98; n++) call('quick', 'success', 10);
    call('slow', 'fallback', 5_000);
    call('slow', 'failure', 5_000);
    clock.at += SLICE;
    call('quick');
    collector.turn();
    clock.at += SLICE;
    const [first, second] = collector.trends().all;
    expect(first).toEqual([100, 1, 1, expect.closeTo(5_000, -2)]);
    expect(second).toEqual([1, 0, 0, expect.closeTo(10, 0)]);
  });

  it('are no longer than a quarter of an hour, however long it goes on', () => {
    const { clock, collector, call } = collecting();
    for (let slice = 0; slice < 200; slice++) {
      for (let n = 0; n < 5; n++) call(`operation ${n}`, 'fallback', n + 1);
      clock.at += SLICE;
      collector.turn();
    }
    const { first, last, all, operations } = collector.trends();
    expect([first, last, all.length]).toEqual([110, 199, 90]);
    expect(operations.map(([, points]) => points.length)).toEqual(new Array(5).fill(90));
  });
});

describe('The trends in frames', () => {
  function framing() {
    const { clock, collector, call } = collecting();
    const frames = new Frames({
      tables: () => [],
      lists: () => [],
      trends: (after?: number) => collector.trends(after),
    } as unknown as DashboardState);
    const full = () => (JSON.parse(frames.full()) as Frame).trends;
    const changes = () => {
      const frame = frames.changes();
      return frame === undefined ? undefined : (JSON.parse(frame) as Frame).trends;
    };
    return { clock, call, full, changes };
  }

  it('come whole to somebody new, and then slice by slice', () => {
    const { clock, call, full, changes } = framing();
    for (let n = 0; n < 20; n++) {
      call('charge');
      clock.at += SLICE;
    }
    expect(full()).toMatchObject({ first: 0, last: 19, operations: [['charge', { length: 20 }]] });
    expect(changes()).toBeUndefined();
    call('charge');
    clock.at += SLICE;
    expect(changes()).toMatchObject({
      first: 20,
      last: 20,
      operations: [['charge', { length: 1 }]],
    });
    clock.at += SLICE;
    expect(changes()).toEqual({ first: 21, last: 21, all: [0], operations: [], limits: [] });
    expect(changes()).toBeUndefined();
  });

  it('lose nothing for those who watch already when somebody comes', () => {
    const { clock, call, full, changes } = framing();
    full();
    changes();
    call('charge');
    clock.at += SLICE;
    full();
    expect(changes()).toMatchObject({ last: 0, operations: [['charge', { length: 1 }]] });
  });
});
