import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { BulkheadRejectedError, TimeoutError } from '../../lib/index.js';
import {
  Deferred,
  elapse,
  flush,
  ResilienceApp,
  type Watched,
  watch,
} from '../support/resilience-app.js';

type Criticality = boolean | undefined;

interface Visitor {
  index: number;
  critical: Criticality;
  deadline: number;
  began?: number;
  /** Of the runs that find a free slot while others are free, one in eight is. */
  timed?: boolean;
  outcome: string;
}

/** What a bulkhead does, in the plainest way: everything is looked for everywhere. */
class Model {
  at = 0;
  readonly visitors: Visitor[] = [];
  readonly began: number[] = [];
  running: Visitor[] = [];
  queue: Visitor[] = [];
  private durations: number[] = [];
  private untimed = 0;

  constructor(
    private readonly maxConcurrent: number,
    private readonly queueLimit: number,
  ) {}

  enter(critical: Criticality, timeoutMs: number): void {
    const { length: index } = this.visitors;
    const visitor: Visitor = { index, critical, deadline: this.at + timeoutMs, outcome: 'pending' };
    this.visitors.push(visitor);
    if (this.running.length < this.maxConcurrent) this.begin(visitor, this.isTimed());
    else if (this.tooLate(visitor)) visitor.outcome = 'deadline';
    else if (this.queue.length < this.queueLimit) this.queue.push(visitor);
    else this.displaceFor(visitor);
  }

  finish(pick: number, fails: boolean): Visitor | undefined {
    const visitor = this.running[pick % Math.max(1, this.running.length)];
    if (visitor === undefined) return undefined;
    this.running = this.running.filter((each) => each !== visitor);
    const durationMs = this.at - (visitor.began as number);
    const inTime = visitor.outcome === 'pending';
    if (visitor.timed && ((inTime && !fails) || durationMs >= this.median))
      this.durations.push(durationMs);
    if (inTime) visitor.outcome = fails ? 'failed' : 'answered';
    this.admit();
    return visitor;
  }

  elapse(ms: number): void {
    this.at += ms;
    for (const visitor of this.visitors)
      if (visitor.outcome === 'pending' && visitor.deadline <= this.at) visitor.outcome = 'timeout';
    this.queue = this.queue.filter(({ outcome }) => outcome === 'pending');
  }

  private displaceFor(visitor: Visitor): void {
    const displaced = this.queue.filter(({ critical }) => critical === false).at(-1);
    if (visitor.critical !== true || displaced === undefined) {
      visitor.outcome = 'full';
      return;
    }
    displaced.outcome = 'displaced';
    this.queue = this.queue.filter((each) => each !== displaced);
    this.queue.push(visitor);
  }

  private admit(): void {
    while (this.running.length < this.maxConcurrent && this.queue.length > 0) {
      const next = [true, undefined, false]
        .flatMap((level) => this.queue.filter(({ critical }) => critical === level))
        .at(0) as Visitor;
      const late = this.tooLate(next) || (this.queue.length > 1 && this.likelyTooLate(next));
      this.queue = this.queue.filter((each) => each !== next);
      if (late) next.outcome = 'deadline';
      else this.begin(next, true);
    }
  }

  private isTimed(): boolean {
    const isLast = this.running.length + 1 === this.maxConcurrent;
    return isLast || this.durations.length < 5 || ++this.untimed % 8 === 0;
  }

  private begin(visitor: Visitor, timed: boolean): void {
    visitor.began = this.at;
    visitor.timed = timed;
    this.running.push(visitor);
    this.began.push(visitor.index);
  }

  private tooLate({ deadline }: Visitor): boolean {
    return deadline - this.at < this.median;
  }

  private likelyTooLate({ deadline }: Visitor): boolean {
    return deadline - this.at < this.percentile(90);
  }

  private get median(): number {
    return this.percentile(50);
  }

  private percentile(percent: number): number {
    const latest = this.durations.slice(-31).toSorted((a, b) => a - b);
    if (latest.length < 5) return 0;
    return latest[Math.ceil((latest.length * percent) / 100) - 1] as number;
  }
}

function outcomeOf({ state, error }: Watched<unknown>): string {
  if (state === 'pending') return 'pending';
  if (state === 'fulfilled') return 'answered';
  if (error instanceof BulkheadRejectedError) return error.reason;
  return error instanceof TimeoutError ? 'timeout' : 'failed';
}

type Step =
  | { type: 'enter'; critical: Criticality; timeoutMs: number }
  | { type: 'finish'; pick: number; fails: boolean }
  | { type: 'elapse'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('enter' as const),
      critical: fc.constantFrom(true, false, undefined),
      timeoutMs: fc.constantFrom(30, 60, 200, 10_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('finish' as const),
      pick: fc.nat(20),
      fails: fc.nat(3).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('elapse' as const),
      ms: fc.integer({ min: 1, max: 40 }),
    }),
  },
);

describe('A bulkhead that sheds', () => {
  let app: ResilienceApp;
  let names = 0;

  beforeAll(async () => {
    app = await ResilienceApp.boot();
  });
  afterAll(() => app.close());

  it('does what the plainest model of it does, in any sequence of calls, ends and waits', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 5 }),
        fc.array(step, { minLength: 20, maxLength: 150 }),
        async (maxConcurrent, queueLimit, steps) => {
          jest.useFakeTimers();
          const bulkhead = `model-${names++}`;
          app.pipeline({ name: bulkhead, bulkhead: { maxConcurrent, queueLimit } });
          const model = new Model(maxConcurrent, queueLimit);
          const calls: Watched<unknown>[] = [];
          const works: Deferred[] = [];
          const began: number[] = [];

          const enter = (critical: Criticality, timeoutMs: number) => {
            const index = calls.length;
            const work = new Deferred();
            works.push(work);
            const around = app.pipeline(critical === undefined ? {} : { critical });
            let inner: Promise<unknown> = Promise.resolve();
            void around.execute(async () => {
              inner = app.pipeline({ bulkhead, timeoutMs }).execute(() => {
                began.push(index);
                return work.promise;
              });

              await inner.catch(() => undefined);
            });
            calls.push(watch(inner));
          };

          for (const each of steps) {
            if (each.type === 'enter') {
              model.enter(each.critical, each.timeoutMs);
              enter(each.critical, each.timeoutMs);
            } else if (each.type === 'finish') {
              const index = model.finish(each.pick, each.fails)?.index ?? -1;
              if (each.fails) works[index]?.reject(new Error('down'));
              else works[index]?.resolve('done');
            } else {
              model.elapse(each.ms);
              await elapse(each.ms);
            }
            await flush();
            expect(began).toEqual(model.began);
            expect(calls.map(outcomeOf)).toEqual(model.visitors.map(({ outcome }) => outcome));
            expect(app.bulkheads.get(bulkhead).getSnapshot()).toMatchObject({
              running: model.running.length,
              queued: model.queue.length,
            });
          }
          for (const { outcome } of model.visitors) seen.add(outcome);
          for (let left = 0; left <= calls.length; left++) {
            for (const work of works) work.resolve('done');
            await flush();
          }
          expect(app.bulkheads.get(bulkhead).getSnapshot()).toMatchObject({
            running: 0,
            queued: 0,
          });
          expect(jest.getTimerCount()).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
    const everything = ['answered', 'deadline', 'displaced', 'failed', 'full', 'timeout'];
    expect([...seen].toSorted()).toEqual([...everything, 'pending'].toSorted());
  });
});
