import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type BulkheadOptions, BulkheadPolicy } from '../../lib/index.js';
import { Deferred, elapse, failure, flush, ResilienceApp } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

/** A bulkhead, and what its owner was told of it last. */
function observed(options: BulkheadOptions) {
  const told = { running: 0, queued: 0, limits: [] as number[], reasons: [] as string[] };
  const host = stageHost(
    ({ bulkhead, reason }) => told.reasons.push(`${bulkhead}: ${reason}`),
    (gauge, value) => {
      if (gauge === 'bulkhead.running') told.running = value;
      if (gauge === 'bulkhead.queued') told.queued = value;
      if (gauge === 'bulkhead.limit') told.limits.push(value);
    },
  );
  const bulkhead = new BulkheadPolicy('told', options, host);
  /** Whether that is true now as well. */
  const expectTold = (running: number, queued: number) => {
    expect(told).toMatchObject({ running, queued });
    expect(bulkhead.getSnapshot()).toMatchObject({ running, queued });
  };
  return { bulkhead, told, expectTold };
}

const answering = async () => 'answer';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('the owner of a bulkhead is told how many run and wait', () => {
  it('when a call gets a slot, waits, gets its slot from another, and ends', async () => {
    const { bulkhead, expectTold } = observed({ maxConcurrent: 1 });
    const works = [new Deferred(), new Deferred()];
    const calls = works.map(({ promise }) => bulkhead.execute(() => promise));
    expectTold(1, 1);
    works[0]?.resolve(undefined);
    await calls[0];
    expectTold(1, 0);
    works[1]?.resolve(undefined);
    await calls[1];
    expectTold(0, 0);
  });

  it('when a call has waited for too long, and when its caller gives it up', async () => {
    const { bulkhead, expectTold, told } = observed({ maxConcurrent: 1, queueTimeoutMs: 100 });
    const app = await ResilienceApp.boot();
    const work = new Deferred();
    const running = bulkhead.execute(() => work.promise);
    const late = failure(bulkhead.execute(answering));
    const given = failure(
      app.pipeline({ timeoutMs: 50 }).execute(() => bulkhead.execute(answering)),
    );
    await flush();
    expectTold(1, 2);
    await elapse(50);
    await given;
    expectTold(1, 1);
    await elapse(50);
    await late;
    expectTold(1, 0);
    expect(told.reasons).toEqual(['told: queue-timeout']);
    work.resolve(undefined);
    await running;
    await app.close();
  });

  it('when a call is too late for the slot that becomes free', async () => {
    const { bulkhead, expectTold, told } = observed({ maxConcurrent: 1 });
    const app = await ResilienceApp.boot();
    for (let run = 0; run < 5; run++) {
      const call = bulkhead.execute(() => elapse(100));
      await elapse(100);
      await call;
    }
    const work = new Deferred();
    const running = bulkhead.execute(() => work.promise);
    const late = failure(
      app.pipeline({ timeoutMs: 120 }).execute(() => bulkhead.execute(answering)),
    );
    await elapse(30);
    expectTold(1, 1);
    work.resolve(undefined);
    await running;
    await late;
    expectTold(0, 0);
    expect(told.reasons).toEqual(['told: deadline']);
    await app.close();
  });

  it('when a call gets the slot that is lent to calls inside the one around them', async () => {
    const { bulkhead, expectTold } = observed({ maxConcurrent: 1, queueLimit: 0 });
    const works = [new Deferred(), new Deferred()];
    const call = bulkhead.execute(() =>
      Promise.all(works.map(({ promise }) => bulkhead.execute(() => promise))),
    );
    await flush();
    expectTold(1, 1);
    works[0]?.resolve(undefined);
    await flush();
    expectTold(1, 0);
    works[1]?.resolve(undefined);
    await call;
    expectTold(0, 0);
  });

  it('when what waits is rejected, because the application closes', async () => {
    const { bulkhead, expectTold, told } = observed({ maxConcurrent: 1 });
    const work = new Deferred();
    const running = bulkhead.execute(() => work.promise);
    const waiting = failure(bulkhead.execute(answering));
    bulkhead.shutdown();
    await waiting;
    expectTold(1, 0);
    expect(told.reasons).toEqual(['told: shutdown']);
    work.resolve(undefined);
    await running;
  });

  it('also where slots were handed on in a later turn of the event loop', async () => {
    const { bulkhead, expectTold } = observed({ maxConcurrent: 1, queueLimit: 200 });
    let begun = 0;
    const work = new Deferred();
    const calls = Array.from({ length: 200 }, () =>
      bulkhead.execute(async () => {
        jest.advanceTimersByTime(1);
        if (++begun === 199) await work.promise;
      }),
    );
    while (begun < 199) await nextTurn();
    expectTold(1, 1);
    work.resolve(undefined);
    await Promise.all(calls);
    expectTold(0, 0);
  });
});

describe('the owner of a bulkhead is told how many may run', () => {
  it('never where that is fixed', async () => {
    const { bulkhead, told } = observed({ maxConcurrent: 1 });
    await bulkhead.execute(answering);
    expect(told.limits).toEqual([]);
  });

  it('at the beginning and whenever it is another number, where that is found out', async () => {
    const { bulkhead, told } = observed({ adaptive: true });
    for (let run = 0; run < 9; run++) {
      const call = bulkhead.execute(() => elapse(10));
      await elapse(10);
      await call;
    }
    expect(told.limits).toEqual([4]);
    const works = Array.from({ length: 4 }, () => new Deferred());
    const calls = works.map(({ promise }) => bulkhead.execute(() => promise));
    await elapse(10);
    for (const work of works) work.resolve(undefined);
    await Promise.all(calls);
    expect(told.limits).toEqual([4, 8]);
  });
});
