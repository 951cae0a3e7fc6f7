import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CallWindow, FailureTimes } from '../../lib/circuit-breaker/sliding-window.js';
import { LinkedList } from '../../lib/common/linked-list.js';
import { RecentValues } from '../../lib/common/recent-values.js';
import { TimeWindow } from '../../lib/common/time-window.js';

const outcome = { failed: fc.boolean(), slow: fc.boolean() };

const count = (outcomes: { failed: boolean; slow: boolean }[]) => ({
  calls: outcomes.length,
  failures: outcomes.filter(({ failed }) => failed).length,
  slow: outcomes.filter(({ slow }) => slow).length,
});

describe('a window of time', () => {
  it('is empty at first', () => {
    const window = new TimeWindow(1_000);
    expect(window.counts(0)).toMatchObject({ calls: 0, failures: 0, slow: 0 });
    window.record(5_000, true, false);
    expect(window.counts(5_000)).toMatchObject({ calls: 1, failures: 1, slow: 0 });
  });

  it('holds at least the calls of 95 % of it and at most those of 100 %, whatever its length', () => {
    const wait = fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 70 }) }, // thousandths of the window
      { weight: 1, arbitrary: fc.integer({ min: 900, max: 1_200 }) },
    );
    const script = fc.array(fc.record({ ...outcome, wait }), { maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(
        script,
        fc.constantFrom(1, 7, 1_000, 30_000, 86_400_000),
        fc.constantFrom(0, 12_345.678, 1e9),
        (calls, windowMs, start) => {
          const window = new TimeWindow(windowMs);
          const recorded: { at: number; failed: boolean; slow: boolean }[] = [];
          let at = start;
          for (const { failed, slow, wait } of calls) {
            at += (wait / 1_000) * windowMs;
            window.record(at, failed, slow);
            recorded.push({ at, failed, slow });
            const counts = { ...window.counts(at) };
            const tolerance = windowMs * 1e-6; // of floating-point bucket numbers
            const least = recorded.filter(
              (each) => at - each.at <= windowMs * 0.95 - tolerance,
            ).length;
            const most = recorded.filter((each) => at - each.at < windowMs + tolerance).length;
            expect(counts.calls).toBeGreaterThanOrEqual(least);
            expect(counts.calls).toBeLessThanOrEqual(most);
            expect(counts).toMatchObject(count(recorded.slice(recorded.length - counts.calls)));
          }
          expect(window.counts(at + windowMs)).toMatchObject({ calls: 0, failures: 0, slow: 0 });
        },
      ),
    );
  });

  it('forgets everything in an idle time of any length, at once', () => {
    const window = new TimeWindow(1);
    window.record(0, true, true);
    expect(window.counts(1e12)).toMatchObject({ calls: 0, failures: 0, slow: 0 });
  });

  it.each([Number.MIN_VALUE, 1e-300, 1e-10])(
    'does not get stuck where it is absurdly short (%d ms)',
    (windowMs) => {
      const window = new TimeWindow(windowMs);
      window.record(1e9, true, false);
      expect(window.counts(1e9 + 1)).toMatchObject({ calls: 0, failures: 0, slow: 0 });
    },
  );

  it('is not confused by a clock that steps back a little', () => {
    const window = new TimeWindow(1_000);
    window.record(500, true, false);
    window.record(400, true, false);
    expect(window.counts(500)).toMatchObject({ calls: 2, failures: 2, slow: 0 });
    expect(window.counts(1_500)).toMatchObject({ calls: 0, failures: 0, slow: 0 });
  });
});

describe('a window of calls', () => {
  it('holds the latest ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record(outcome), { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        (calls, size) => {
          const window = new CallWindow(size);
          for (const [index, { failed, slow }] of calls.entries()) {
            window.record(0, failed, slow);
            expect(window.counts()).toMatchObject(count(calls.slice(0, index + 1).slice(-size)));
          }
        },
      ),
    );
  });
});

describe('the times of failures', () => {
  it('tell whether so many lie within the window', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(500), { maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        (waits, size) => {
          const failures = new FailureTimes(size, 1_000);
          const times: number[] = [];
          let at = 0;
          for (const wait of waits) {
            at += wait;
            times.push(at);
            const within = times.filter((time) => at - time < 1_000).length;
            expect(failures.add(at)).toBe(within >= size);
          }
        },
      ),
    );
  });
});

describe('a linked list', () => {
  interface Item {
    id: number;
    previous: Item | undefined;
    next: Item | undefined;
  }

  it('behaves like an array from whose middle entries are taken', () => {
    const steps = fc.array(fc.oneof(fc.constant('append' as const), fc.nat(20)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (script) => {
        const list = new LinkedList<Item>();
        const model: Item[] = [];
        for (const [id, step] of script.entries()) {
          if (step === 'append') {
            const item: Item = { id, previous: undefined, next: undefined };
            list.append(item);
            model.push(item);
          } else {
            const [item] = model.splice(step % Math.max(1, model.length), 1);
            if (item === undefined) continue;
            list.remove(item);
            expect(item).toEqual({ id: item.id, previous: undefined, next: undefined }); // holds on to nothing
          }
          const forward: number[] = [];
          let last: Item | undefined;
          for (let item = list.first; item !== undefined; item = item.next) {
            expect(item.previous).toBe(last);
            forward.push(item.id);
            last = item;
          }
          expect(forward).toEqual(model.map((item) => item.id));
        }
      }),
    );
  });
});

describe('recent values', () => {
  it('have the percentiles of the latest ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 100 }),
        (values, size, percent) => {
          const recent = new RecentValues(size);
          expect(recent.percentile(percent)).toBeUndefined();
          for (const [index, value] of values.entries()) {
            recent.add(value);
            const latest = values.slice(Math.max(0, index + 1 - size), index + 1);
            const ordered = latest.toSorted((a, b) => a - b);
            expect(recent.count).toBe(latest.length);
            expect(recent.percentile(percent)).toBe(
              ordered[Math.ceil((percent / 100) * latest.length) - 1],
            );
          }
        },
      ),
    );
  });
});
