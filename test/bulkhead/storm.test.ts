import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BulkheadPolicy, BulkheadRejectedError } from '../../lib/index.js';
import { never } from '../support/resilience-app.js';

const MANY = 500;

/** A bulkhead whose slots are taken, and very many calls that wait for them: each ends at once. */
function crowded(maxConcurrent: number) {
  const bulkhead = new BulkheadPolicy('crowded', { maxConcurrent, queueLimit: MANY });
  const ends: (() => void)[] = [];
  for (let slot = 0; slot < maxConcurrent; slot++)
    void bulkhead.execute(() => new Promise<void>((resolve) => ends.push(resolve)));
  const done: number[] = [];
  const run = (number: number) =>
    bulkhead.execute(async () => {
      jest.advanceTimersByTime(1); // it keeps the processor busy for a millisecond
      done.push(number);
    });
  const waiting = Array.from({ length: MANY }, (_, number) => run(number));
  return {
    bulkhead,
    done,
    run,
    waiting,
    begin: () => {
      for (const end of ends) end();
    },
  };
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('a storm of calls that wait, each of which ends at once', () => {
  it.each([1, 3])('lets the event loop go on amid it (%d slots)', async (slots) => {
    const { bulkhead, begin, done, waiting } = crowded(slots);
    begin();
    let turns = 0;
    const longest = { steps: 0, before: 0 };
    while (done.length < MANY) {
      await nextTurn();
      turns++;
      longest.steps = Math.max(longest.steps, done.length - longest.before);
      longest.before = done.length;
    }
    expect(turns).toBeGreaterThan(1);
    expect(longest.steps).toBeLessThan(100); // 64 that count as nothing, and some ms more
    await Promise.all(waiting);
    expect(bulkhead.getSnapshot()).toMatchObject({ running: 0, queued: 0, rejected: 0 });
  });

  it('serves all in their order, and whoever comes meanwhile after them', async () => {
    const { begin, done, run, waiting, bulkhead } = crowded(1);
    begin();
    await nextTurn();
    expect(done.length).toBeLessThan(MANY);
    expect(bulkhead.getSnapshot().running).toBeLessThanOrEqual(1);
    const late = run(MANY);
    await Promise.all([...waiting, late]);
    expect(done).toEqual(Array.from({ length: MANY + 1 }, (_, number) => number));
  });

  it('leaves no slot idle that could be used', async () => {
    const { begin, bulkhead, done } = crowded(3);
    begin();
    while (done.length < MANY) await nextTurn();
    for (let slot = 0; slot < 3; slot++) void bulkhead.execute(never);
    expect(bulkhead.getSnapshot()).toMatchObject({ running: 3, queued: 0 });
  });

  it('hands a slot that is free to whoever comes where those who waited have left', async () => {
    const bulkhead = new BulkheadPolicy('left', { maxConcurrent: 1, queueLimit: MANY });
    let end!: () => void;
    const first = bulkhead.execute(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    const busy = Promise.allSettled(
      Array.from({ length: 200 }, () =>
        bulkhead.execute(async () => void jest.advanceTimersByTime(1)),
      ),
    );
    end();
    await first;
    for (let step = 0; step < 400; step++) await undefined; // until it pauses
    const { running, queued } = bulkhead.getSnapshot();
    expect([running, queued > 0]).toEqual([0, true]);
    bulkhead.shutdown();
    while (bulkhead.getSnapshot().queued > 0) await nextTurn();
    const late = jest.fn(async () => 'answer');
    expect(await bulkhead.execute(late)).toBe('answer');
    await busy;
  });

  it('is rejected bit by bit too, when the application closes', async () => {
    const { bulkhead, waiting } = crowded(1);
    const reasons = Promise.all(
      waiting.map((call) => call.catch((error: BulkheadRejectedError) => error.reason)),
    );
    let ms = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => ms++); // whatever is done takes its time
    bulkhead.shutdown();
    expect(bulkhead.getSnapshot().queued).toBeGreaterThan(MANY / 2);
    expect(await reasons).toEqual(Array.from({ length: MANY }, () => 'shutdown'));
    expect(bulkhead.getSnapshot()).toMatchObject({ queued: 0, rejected: MANY });
  });

  it('lets the event loop go on also where they share the slot of the call around them', async () => {
    const bulkhead = new BulkheadPolicy('lent', { maxConcurrent: 1, queueLimit: 0 });
    let done = 0;
    const inside = () =>
      bulkhead.execute(async () => {
        jest.advanceTimersByTime(1);
        done++;
      });
    const call = bulkhead.execute(() => Promise.all(Array.from({ length: MANY }, inside)));
    await nextTurn();
    expect(done).toBeLessThan(100);
    await call;
    expect(done).toBe(MANY);
    expect(bulkhead.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
  });
});
