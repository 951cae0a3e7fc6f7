import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VirtualClock } from './clock.js';

describe('the virtual clock', () => {
  const clock = new VirtualClock();
  beforeEach(() => clock.install());
  afterEach(() => clock.restore());

  /** Runs it for a second, and says what was noted when. */
  async function noted(script: (note: (what: string) => void) => void): Promise<string[]> {
    const startedAt = clock.nowMs;
    const notes: string[] = [];
    script((what) => notes.push(`${clock.nowMs - startedAt} ${what}`));
    await clock.run(startedAt + 1_000);
    return notes;
  }

  it('moves every clock of the process, and no real time passes', async () => {
    const [date, monotonic] = [Date.now(), performance.now()];
    const started = process.hrtime.bigint();
    await clock.run(clock.nowMs + 3_600_000);
    expect(Date.now() - date).toBe(3_600_000);
    expect(new Date()).toEqual(new Date(date + 3_600_000));
    expect(performance.now() - monotonic).toBe(3_600_000);
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(1_000);
    expect(new Date('2020-02-02T00:00:00Z').toISOString()).toBe('2020-02-02T00:00:00.000Z');
  });

  it('fires timers in the order of their times, then of their making', async () => {
    const notes = await noted((note) => {
      setTimeout(note, 20, 'third');
      setTimeout(note, 10, 'first');
      setTimeout(note, 10, 'second');
      setTimeout(() => setTimeout(note, 0, 'nested: 1 ms later, as Node does it'), 20);
      setTimeout(note, 10.9, 'whole milliseconds');
    });
    expect(notes).toEqual([
      '10 first',
      '10 second',
      '10 whole milliseconds',
      '20 third',
      '21 nested: 1 ms later, as Node does it',
    ]);
  });

  it('does not fire what was cleared, and repeats intervals until then', async () => {
    const notes = await noted((note) => {
      clearTimeout(setTimeout(note, 10, 'cleared'));
      const interval = setInterval(note, 300, 'interval');
      setTimeout(() => clearInterval(interval.unref()), 700);
      clearTimeout(undefined);
    });
    expect(notes).toEqual(['300 interval', '600 interval']);
  });

  it('lets all promise jobs run before the next event, however long their chain', async () => {
    const notes = await noted((note) => {
      setTimeout(async () => {
        for (let link = 0; link < 10_000; link++) await undefined;
        note('the end of a chain');
      }, 5);
      setTimeout(note, 5, 'the next timer of that instant');
      clock.schedule(clock.nowMs + 5, () => process.nextTick(note, 'a tick'));
      clock.schedule(clock.nowMs + 5, () => note('the last event'));
    });
    expect(notes).toEqual([
      '5 the end of a chain',
      '5 the next timer of that instant',
      '5 a tick',
      '5 the last event',
    ]);
  });

  it('keeps the async context of who sets a timer, and gives none to events of the world', async () => {
    const context = new AsyncLocalStorage<string>();
    const notes = await noted((note) => {
      context.run('a call', () => {
        setTimeout(() => note(`timer: ${context.getStore()}`), 1);
        clock.schedule(clock.nowMs + 2, () => note(`event: ${context.getStore()}`));
      });
    });
    expect(notes).toEqual(['1 timer: a call', '2 event: undefined']);
  });

  it('ends with the error of an event that throws', async () => {
    clock.schedule(clock.nowMs, () => {
      throw new Error('a fault of the world');
    });
    await expect(clock.run(clock.nowMs + 1)).rejects.toThrow('a fault of the world');
  });

  it('gives the real clock back', () => {
    clock.restore();
    expect(setTimeout.name).toBe('setTimeout');
    const started = performance.now();
    while (performance.now() === started);
  });
});
