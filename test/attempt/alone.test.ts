import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type AttemptStage, currentSignal, executeThrough, WAIT } from '../../lib/index.js';
import { booting, Deferred, elapse, failure, flush, watch } from '../support/resilience-app.js';

const boot = booting();
beforeEach(() => {
  jest.useFakeTimers();
  jest.advanceTimersByTime(1_000);
});

/** Lets one call in at a time, notes what it is asked and told, and makes others wait. */
class OneAtATime implements AttemptStage {
  readonly log: unknown[] = [];
  private waiting: (() => void)[] = [];
  private isTaken = false;

  constructor(readonly needsScope = false) {}

  admit(): unknown {
    this.log.push('admit');
    if (this.isTaken) return WAIT;
    this.isTaken = true;
    return 'permit';
  }

  wait(_attempt: unknown, admitted: (ask: () => { permit: unknown }) => void): () => void {
    const begin = () => {
      this.isTaken = true;
      admitted(() => ({ permit: 'later' }));
    };
    this.waiting.push(begin);
    return () => {
      this.log.push('left');
      this.waiting = this.waiting.filter((each) => each !== begin);
    };
  }

  settled(permit: unknown, _attempt: unknown, how: string, error: unknown): void {
    this.log.push([permit, how, error]);
  }

  finished(permit: unknown, _attempt: unknown, answered: boolean): void {
    this.log.push([permit, answered]);
    this.isTaken = false;
    this.waiting.shift()?.();
  }
}

describe.each([false, true])(
  'A call through one stage by itself (in a scope: %s)',
  (needsScope) => {
    it('is told to the stage as an attempt of a pipeline is', async () => {
      const stage = new OneAtATime(needsScope);
      await expect(executeThrough(stage, async () => 'value')).resolves.toBe('value');
      expect(stage.log).toEqual(['admit', ['permit', true], ['permit', 'success', undefined]]);
      stage.log.length = 0;
      const down = new Error('down');
      await expect(executeThrough(stage, () => Promise.reject(down))).rejects.toBe(down);
      await expect(
        executeThrough(stage, () => {
          throw down;
        }),
      ).rejects.toBe(down);
      const failed = ['admit', ['permit', false], ['permit', 'failure', down]];
      expect(stage.log).toEqual([...failed, ...failed]);
    });

    it('waits where the stage says so, and begins with the permit that it gets then', async () => {
      const stage = new OneAtATime(needsScope);
      const [first, second] = [new Deferred<string>(), new Deferred<string>()];
      const calls = [first, second].map(({ promise }) =>
        watch(executeThrough(stage, () => promise)),
      );
      first.resolve('first');
      await flush();
      expect(calls.map(({ state }) => state)).toEqual(['fulfilled', 'pending']);
      second.resolve('second');
      await flush();
      expect(calls[1]?.state).toBe('fulfilled');
      expect(stage.log.filter((each) => each === 'admit')).toHaveLength(2);
      expect(stage.log.at(-1)).toEqual(['later', 'success', undefined]);
    });

    it('tells the stage at what time it began, and at what time it ended', async () => {
      const told: unknown[] = [];
      const stage: AttemptStage = {
        needsScope,
        admit: ({ startedAt }, at) => told.push([startedAt, at]),
        settled: (_permit, { startedAt }, _how, _error, at) => told.push([startedAt, at]),
      };
      const began = performance.now();
      const call = executeThrough(stage, () => new Promise((resolve) => setTimeout(resolve, 20)));
      await elapse(20);
      await call;
      expect(told).toEqual([
        [began, began],
        [began, began + 20],
      ]);
    });

    it('is refused by what the stage throws, without being made', async () => {
      const refusal = new Error('refused');
      const stage: AttemptStage = {
        needsScope,
        admit() {
          throw refusal;
        },
      };
      let calls = 0;
      const call = executeThrough(stage, async () => ++calls);
      await expect(call).rejects.toBe(refusal);
      expect(calls).toBe(0);
    });

    it('ends by what the stage throws when it hears how the call went', async () => {
      const broken = new Error('broken');
      const stage: AttemptStage = {
        needsScope,
        admit: () => 'permit',
        settled() {
          throw broken;
        },
      };
      await expect(executeThrough(stage, async () => 'value')).rejects.toBe(broken);
    });

    it('has the signal of the attempt around it, gives its place in a queue up with that, and goes on where it runs', async () => {
      const app = await boot();
      const stage = new OneAtATime(needsScope);
      const running = new Deferred<string>();
      const signals: AbortSignal[] = [];
      const begin = () => {
        signals.push(currentSignal());
        return running.promise;
      };
      const inside: Promise<unknown>[] = [];
      const around = app.pipeline({ timeoutMs: 100 }).execute(async () => {
        inside.push(executeThrough(stage, begin), failure(executeThrough(stage, begin)));
        return Promise.all(inside);
      });
      const cut = failure(around);
      await elapse(100);
      await cut;
      expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
      expect(stage.log).toContain('left');
      await expect(inside[1]).resolves.toMatchObject({ code: 'TIMEOUT' });
      running.resolve('late');
      await expect(inside[0]).resolves.toBe('late');
      expect(stage.log.filter((each) => Array.isArray(each))).toEqual([
        ['permit', 'cut', expect.objectContaining({ code: 'TIMEOUT' })],
        ['permit', true],
      ]);
    });
  },
);
