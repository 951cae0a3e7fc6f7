import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { type Expiring, TimerQueue } from '../../lib/common/timer-queue.js';

let log: string[] = [];

class Entry implements Expiring<Entry> {
  previous: Entry | undefined = undefined;
  next: Entry | undefined = undefined;
  expiresAt = 0;

  constructor(
    private readonly label: string,
    private readonly onExpire: () => void = () => undefined,
  ) {}

  expire(): void {
    log.push(`${this.label} at ${performance.now()}`);
    this.onExpire();
  }
}

beforeEach(() => {
  log = [];
  jest.useFakeTimers();
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0); // none is left behind by any of these tests
  jest.useRealTimers();
});

describe('a timer queue', () => {
  it('expires each entry after the delay, in the order in which they began', () => {
    const queue = new TimerQueue<Entry>(100);
    queue.add(new Entry('a'));
    jest.advanceTimersByTime(30);
    queue.add(new Entry('b'));
    queue.add(new Entry('c'));
    jest.advanceTimersByTime(500);
    expect(log).toEqual(['a at 100', 'b at 130', 'c at 130']);
  });

  it('holds one timer for any number of entries, and none when nothing is pending', () => {
    const queue = new TimerQueue<Entry>(100);
    expect(jest.getTimerCount()).toBe(0);
    const entries = Array.from({ length: 50 }, (_, index) => new Entry(`${index}`));
    for (const entry of entries) queue.add(entry);
    expect(jest.getTimerCount()).toBe(1);
    for (const entry of entries) queue.remove(entry);
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(500);
    expect(log).toEqual([]);
  });

  it.each([0, 1, 2])('takes out entry %d of three, and the others expire on time', (index) => {
    const queue = new TimerQueue<Entry>(100);
    const entries = ['a', 'b', 'c'].map((label) => new Entry(label));
    for (const entry of entries) {
      queue.add(entry);
      jest.advanceTimersByTime(10);
    }
    queue.remove(entries[index] as Entry);
    jest.advanceTimersByTime(500);
    expect(log).toEqual(['a at 100', 'b at 110', 'c at 120'].filter((_, each) => each !== index));
  });

  it('can be used again after it ran dry, by expiry or by removal', () => {
    const queue = new TimerQueue<Entry>(100);
    queue.add(new Entry('a'));
    jest.advanceTimersByTime(100);
    const removed = new Entry('b');
    queue.add(removed);
    queue.remove(removed);
    jest.advanceTimersByTime(50);
    queue.add(removed); // an entry may come back, too
    jest.advanceTimersByTime(500);
    expect(log).toEqual(['a at 100', 'b at 250']);
  });

  it('gives an entry that is added by an expiry its whole delay', () => {
    const queue = new TimerQueue<Entry>(100);
    queue.add(new Entry('a', () => queue.add(new Entry('b'))));
    jest.advanceTimersByTime(500);
    expect(log).toEqual(['a at 100', 'b at 200']);
  });

  it('does not make those wait that began before an entry added by an expiry', () => {
    const queue = new TimerQueue<Entry>(100);
    queue.add(new Entry('a', () => queue.add(new Entry('c'))));
    jest.advanceTimersByTime(10);
    queue.add(new Entry('b'));
    jest.advanceTimersByTime(500);
    expect(log).toEqual(['a at 100', 'b at 110', 'c at 200']);
  });

  it('lets an expiry take out others, also those that are due', () => {
    const queue = new TimerQueue<Entry>(100);
    const [due, later] = [new Entry('due'), new Entry('later')];
    queue.add(
      new Entry('a', () => {
        queue.remove(due);
        queue.remove(later);
      }),
    );
    queue.add(due);
    jest.advanceTimersByTime(10);
    queue.add(later);
    jest.advanceTimersByTime(90);
    expect(jest.getTimerCount()).toBe(0);
    expect(log).toEqual(['a at 100']);
  });

  it('goes by the time at which an entry says it began', () => {
    const queue = new TimerQueue<Entry>(100);
    queue.add(new Entry('a'), performance.now());
    jest.advanceTimersByTime(50);
    queue.add(new Entry('b'), performance.now() - 20);
    jest.advanceTimersByTime(500);
    expect(log).toEqual(['a at 100', 'b at 130']);
  });

  it('keeps the process alive while something is pending and nothing else does, as long as it may', () => {
    jest.useRealTimers();
    const timers = () =>
      process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const others = timers();
    /** As Node does when only this queue is left. */
    const nothingElse = () => process.emit('beforeExit', 0);
    const queue = new TimerQueue<Entry>(60_000);
    const [first, second] = [new Entry('first'), new Entry('second')];
    queue.add(first);
    expect(timers()).toBe(others);
    nothingElse();
    expect(timers()).toBe(others + 1);
    queue.remove(first);
    expect(timers()).toBe(others); // though the timer is there for the next one
    nothingElse();
    expect(timers()).toBe(others);
    queue.add(second);
    nothingElse();
    expect(timers()).toBe(others + 1);
    queue.letProcessEnd();
    expect(timers()).toBe(others);
    queue.add(first);
    nothingElse();
    expect(timers()).toBe(others);
    queue.remove(second);
    queue.remove(first);
    jest.useFakeTimers();
  });

  it('does not become early by and by where timers count in whole milliseconds', () => {
    const queue = new TimerQueue<Entry>(100);
    const due: number[] = [];
    let wrong = 0;
    const add = (left: number) => {
      const expiresAt = performance.now() + 100;
      due.push(expiresAt);
      queue.add(
        new Entry('a', () => {
          if (Math.abs(performance.now() - expiresAt) > 1.5) wrong++;
          if (left > 0) add(left - 1);
        }),
      );
    };
    const clock = jest.spyOn(performance, 'now');
    const began = Date.now();
    let skew = 0;
    clock.mockImplementation(() => Date.now() - began + skew);
    for (let index = 0; index < 50; index++) {
      skew = (index * 0.37) % 1; // entries begin amid a millisecond
      add(20);
      jest.advanceTimersByTime(1);
    }
    jest.advanceTimersByTime(5_000);
    clock.mockRestore();
    expect(due).toHaveLength(50 * 21);
    expect(wrong).toBe(0);
  });

  it('lets other timers have their turn where very many entries expire at once', () => {
    const queue = new TimerQueue<Entry>(100);
    const fake = performance.now.bind(performance);
    let workedMs = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => fake() + workedMs);
    for (let index = 0; index < 10; index++)
      queue.add(
        new Entry(`${index}`, () => {
          workedMs += 2.5;
        }),
      );
    setTimeout(() => log.push('other'), 101);
    jest.advanceTimersByTime(500);
    clock.mockRestore();
    const labels = log.map((line) => line.split(' ')[0]);
    expect(labels.slice(0, 4)).toEqual(['0', '1', '2', 'other']); // after more than 5 ms
    expect(labels.slice(4)).toEqual(['3', '4', '5', '6', '7', '8', '9']);
  });

  it('expires on time where only timers are faked and the clock stands still', () => {
    jest.useRealTimers();
    jest.useFakeTimers({ doNotFake: ['performance'] });
    const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
    const queue = new TimerQueue<Entry>(100);
    queue.add(new Entry('a'));
    jest.advanceTimersByTime(100);
    expect(log).toEqual(['a at 0']);
    clock.mockRestore();
  });

  it('lets an entry that is added by an expiry wait where the clock stands still, too', () => {
    jest.useRealTimers();
    jest.useFakeTimers({ doNotFake: ['performance'] });
    const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
    const queue = new TimerQueue<Entry>(100);
    const at: number[] = [];
    const entry: Entry = new Entry('a', () => {
      at.push(Date.now() - began);
      if (at.length < 3) queue.add(entry);
    });
    const began = Date.now();
    queue.add(entry);
    jest.advanceTimersByTime(1_000);
    expect(at).toEqual([100, 200, 300]);
    clock.mockRestore();
  });

  it('expires each entry exactly at its time, in any interleaving', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('add' as const), again: fc.boolean() }),
        fc.record({ do: fc.constant('remove' as const), which: fc.nat(20) }),
        fc.record({
          do: fc.constant('wait' as const),
          ms: fc.constantFrom(1, 5, 50, 99, 100, 101),
        }),
      ),
      { maxLength: 60, size: 'max' },
    );
    fc.assert(
      fc.property(steps, (script) => {
        const queue = new TimerQueue<Entry>(100);
        const expected = new Map<number, number>();
        const entries = new Map<number, Entry>();
        const expired: number[] = [];
        let made = 0;
        const add = (again: boolean) => {
          const id = made++;
          const entry = new Entry(`${id}`, () => {
            expect(performance.now()).toBe(expected.get(id));
            entries.delete(id);
            expired.push(id);
            if (again) add(false);
          });
          expected.set(id, performance.now() + 100);
          entries.set(id, entry);
          queue.add(entry);
        };
        for (const step of script) {
          if (step.do === 'add') add(step.again);
          if (step.do === 'wait') jest.advanceTimersByTime(step.ms);
          if (step.do === 'remove') {
            const found = [...entries][step.which % Math.max(1, entries.size)];
            if (found === undefined) continue;
            queue.remove(found[1]);
            entries.delete(found[0]);
          }
          expect(jest.getTimerCount()).toBe(entries.size === 0 ? 0 : 1);
          for (const id of entries.keys())
            expect(expected.get(id)).toBeGreaterThan(performance.now());
        }
        jest.advanceTimersByTime(1_000);
        expect(entries.size).toBe(0);
        expect(expired).toEqual([...expired].sort((a, b) => a - b));
      }),
      { numRuns: 300 },
    );
  });
});
