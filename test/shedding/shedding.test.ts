import { jest } from '@jest/globals';
import { SheddingLog } from '../../lib/observability/shedding-log.js';
import { Shedding } from '../../lib/shedding/shedding.js';
import type { SheddingOptions } from '../../lib/shedding/shedding.options.js';
import { SheddingTelemetry, type ShedEvent } from '../../lib/shedding/shedding.telemetry.js';

/** How much later it is than the timers know: the event loop was blocked for so long. */
let lateMs = 0;

beforeEach(() => {
  jest.useFakeTimers();
  lateMs = 0;
  const { now } = performance;
  jest.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + lateMs);
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function sheddingBy(options: SheddingOptions | undefined) {
  const gauges = new Map<string, () => number>();
  const told: ShedEvent[] = [];
  const metrics = {
    watch: (name: string, _: object, read: () => number) => {
      gauges.set(name, read);
      return { changed: () => undefined };
    },
    increment: () => undefined,
  };
  const host = { metrics, report: (event: ShedEvent) => void told.push(event) };
  const telemetry = new SheddingTelemetry(
    host as unknown as ConstructorParameters<typeof SheddingTelemetry>[0],
    new SheddingLog({ log: false }),
  );
  return {
    shedding: new Shedding(options, telemetry),
    gauge: (name: string) => gauges.get(name)?.(),
    told,
  };
}

/** Requests that come while the loop is late by so much each time. */
function busy(shedding: Shedding, delayMs: number, times: number): void {
  for (let i = 0; i < times; i++) {
    shedding.leave(shedding.enter(), 'success');
    lateMs += delayMs;
    jest.advanceTimersByTime(10);
  }
}

const reasonOf = (shedding: Shedding, criticality: 'sheddable' | 'normal' | 'critical') =>
  shedding.refuse({ criticality })?.reason;

describe('A server whose event loop is late', () => {
  it('refuses what matters least first', () => {
    const { shedding, gauge, told } = sheddingBy({ maxEventLoopDelayMs: 50 });
    busy(shedding, 40, 20);
    expect(shedding.isStrained).toBe(false);
    busy(shedding, 60, 8);
    expect(reasonOf(shedding, 'critical')).toBeUndefined();
    expect(reasonOf(shedding, 'normal')).toBeUndefined();
    const sheddable = [1, 2, 3].map(() => reasonOf(shedding, 'sheddable'));
    expect(sheddable).toContain('event-loop-delay');
    busy(shedding, 60, 20);
    expect(reasonOf(shedding, 'normal')).toBe('event-loop-delay');
    expect(reasonOf(shedding, 'critical')).toBeUndefined();
    busy(shedding, 150, 20);
    expect(reasonOf(shedding, 'critical')).toBe('event-loop-delay');
    expect(gauge('shedding.event_loop_delay')).toBeGreaterThan(60);
    expect(told.at(-1)).toEqual({
      type: 'shed',
      reason: 'event-loop-delay',
      criticality: 'critical',
    });
  });

  it('refuses the rest of what came during a turn that is too long, before its end', () => {
    const { shedding } = sheddingBy({ maxEventLoopDelayMs: 50 });
    shedding.enter();
    lateMs += 115;
    expect(reasonOf(shedding, 'normal')).toBe('event-loop-delay');
    expect(reasonOf(shedding, 'critical')).toBeUndefined();
    lateMs += 100;
    expect(reasonOf(shedding, 'critical')).toBe('event-loop-delay');
  });

  it('lets all in again when it is idle, and asks the loop no more', () => {
    const { shedding, gauge } = sheddingBy({ maxEventLoopDelayMs: 50 });
    busy(shedding, 200, 20);
    expect(reasonOf(shedding, 'normal')).toBe('event-loop-delay');
    jest.advanceTimersByTime(10_000);
    expect(shedding.isStrained).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
    expect(gauge('shedding.event_loop_delay')).toBe(0);
    shedding.enter();
    expect(jest.getTimerCount()).toBe(1);
    shedding.end();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('has no timer where that is not looked at', () => {
    const { shedding } = sheddingBy({ maxInFlight: 10 });
    shedding.enter();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('A server that finds out how many requests may be in flight', () => {
  /** Requests of a server that has room for so many at a time: others wait for them. */
  function load(shedding: Shedding, room: number, rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      const entered: number[] = [];
      while (reasonOf(shedding, 'normal') === undefined && entered.length < 500)
        entered.push(shedding.enter());
      for (const [i, at] of entered.entries()) {
        if (i % room === 0) lateMs += 20;
        shedding.leave(at, 'success');
      }
    }
  }

  it('settles a little above what it has room for', () => {
    const { shedding, gauge } = sheddingBy({ adaptive: true });
    expect(shedding.limit).toBe(10);
    load(shedding, 40, 200);
    expect(shedding.limit).toBeGreaterThanOrEqual(30);
    expect(shedding.limit).toBeLessThan(100);
    expect(gauge('shedding.limit')).toBe(shedding.limit);
  });

  it('keeps as many places free again for what is critical', () => {
    const { shedding } = sheddingBy({ adaptive: true, minInFlight: 4, maxInFlight: 4 });
    for (let i = 0; i < 2; i++) shedding.enter();
    expect(reasonOf(shedding, 'sheddable')).toBe('in-flight');
    for (let i = 0; i < 2; i++) shedding.enter();
    expect(reasonOf(shedding, 'normal')).toBe('in-flight');
    for (let i = 0; i < 4; i++) {
      expect(reasonOf(shedding, 'critical')).toBeUndefined();
      shedding.enter();
    }
    expect(reasonOf(shedding, 'critical')).toBe('in-flight');
  });
});

describe('Options of shedding at run time', () => {
  it('hold from the next request on, and those in flight stay counted', () => {
    const { shedding } = sheddingBy(undefined);
    expect(shedding.isOn).toBe(false);
    expect(shedding.getSnapshot()).toBeUndefined();
    shedding.change({ maxInFlight: 2, mode: 'shadow' });
    const at = shedding.enter();
    expect(reasonOf(shedding, 'normal')).toBeUndefined();
    expect(shedding.getSnapshot()).toMatchObject({ mode: 'shadow', inFlight: 1, limit: 1 });
    shedding.change({ maxInFlight: 2 });
    expect(reasonOf(shedding, 'normal')).toBe('in-flight');
    shedding.change({ maxInFlight: 100 });
    expect(reasonOf(shedding, 'normal')).toBeUndefined();
    shedding.leave(at, 'success');
    expect(shedding.inFlight).toBe(0);
    shedding.change(undefined);
    expect(shedding.isOn).toBe(false);
  });

  it('change nothing where they are wrong', () => {
    const { shedding } = sheddingBy({ maxInFlight: 4 });
    expect(() => shedding.change({ maxInFlight: 0 })).toThrow(
      'inbound.shedding.maxInFlight: is 0;',
    );
    expect(shedding.limit).toBe(3);
  });

  it('keep what an adaptive limit has found, where its bounds stay', () => {
    const { shedding } = sheddingBy({ adaptive: true });
    for (let i = 0; i < 200; i++) {
      const at = shedding.enter();
      for (let more = 0; more < 12; more++) shedding.enter();
      lateMs += 10;
      shedding.leave(at, 'success');
      for (let more = 0; more < 12; more++) shedding.leave(0, 'unknown');
    }
    const { limit } = shedding;
    expect(limit).not.toBe(10);
    shedding.change({ adaptive: true, retryAfterMs: 9_000 });
    expect(shedding.limit).toBe(limit);
    shedding.change({ adaptive: true, minInFlight: 5 });
    expect(shedding.limit).toBe(5);
  });

  it.each([
    [{}, 'inbound.shedding: has no limit'],
    [{ maxInFlight: 10, minInFlight: 2 }, 'inbound.shedding.minInFlight: is 2 without adaptive'],
    [
      { adaptive: true, minInFlight: 20, maxInFlight: 10 },
      'inbound.shedding.minInFlight: is 20 while maxInFlight is 10',
    ],
    [{ maxEventLoopDelayMs: 0 }, 'inbound.shedding.maxEventLoopDelayMs: is 0; allowed: a number'],
    [{ maxInFlight: 1, exempt: ['status'] }, 'begin with a slash'],
    [{ maxInFlights: 1 }, 'did you mean maxInFlight?'],
  ])('are refused where they make no sense: %j', (options, message) => {
    expect(() => sheddingBy(options as SheddingOptions).shedding).toThrow(message);
  });
});
