import { createRequire } from 'node:module';
import { BullModule, getQueueToken, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable, Scope, type Type } from '@nestjs/common';
import { type Job, type Queue, QueueEvents } from 'bullmq';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerRegistry,
  CircuitState,
  currentSignal,
  ErrorTracker,
  Fallback,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { type Booted, boot, closeAll, TWICE, track } from '../binding/support.js';
import { type Redis, startRedis } from '../support/redis.js';
import { Deferred, failure, never } from '../support/resilience-app.js';

let redis: Redis;
beforeAll(async () => {
  createRequire(import.meta.url).resolve('ioredis'); // without it, BullMQ would try for ever
  redis = await startRedis();
});
afterEach(closeAll);
afterAll(() => redis?.stop());

const QUEUE = 'orders';
let applications = 0;

interface Working extends Booted {
  queue: Queue;
  /** Puts a job into the queue and waits for what becomes of it. */
  work(data?: unknown): Promise<unknown>;
}

/** An application that works on a queue of its own. */
async function working(processor: Type<object>): Promise<Working> {
  const prefix = `application-${++applications}`;
  const { connection } = redis;
  const booted = await boot({
    imports: [
      BullModule.forRoot({ connection, prefix }),
      BullModule.registerQueue({ name: QUEUE }),
    ],
    providers: [processor],
  });
  const queue = booted.app.get<Queue>(getQueueToken(QUEUE));
  const events = track(new QueueEvents(QUEUE, { connection, prefix }));
  await events.waitUntilReady();
  return {
    ...booted,
    queue,
    async work(data) {
      const job = await queue.add('job', data);
      return job.waitUntilFinished(events);
    },
  };
}

describe('A processor of BullMQ', () => {
  it('is retried within the job, which knows of one attempt', async () => {
    const attemptsMade: number[] = [];
    @Processor(QUEUE)
    class Orders extends WorkerHost {
      @Retry(TWICE)
      async process(job: Job): Promise<string> {
        attemptsMade.push(job.attemptsMade);
        if (attemptsMade.length === 1) throw new Error('down');
        return `done: ${job.data.id}`;
      }
    }
    const { work, app, logger } = await working(Orders);
    expect(await work({ id: 7 })).toBe('done: 7');
    expect(attemptsMade).toEqual([0, 0]);
    expect(app.get(ErrorTracker).getMetrics()).toMatchObject({ total: 0, requests: 1 });
    expect(app.get(ResilienceService).describe()).toMatchObject([
      { operation: 'Orders.process', kind: 'provider', stages: { retry: { maxAttempts: 2 } } },
    ]);
    expect(logger.messages('warn')).toEqual([]);
  });

  it('fails the job with the last error where every attempt failed', async () => {
    let calls = 0;
    @Processor(QUEUE)
    class Orders extends WorkerHost {
      @Retry(TWICE)
      async process(): Promise<string> {
        throw new Error(`down ${++calls}`);
      }
    }
    const { work, queue, app } = await working(Orders);
    expect(await failure(work())).toMatchObject({ message: 'down 2' });
    expect(await queue.getFailedCount()).toBe(1);
    expect(app.get(ErrorTracker).getMetrics().byOperation).toEqual(
      new Map([['Orders.process', 1]]),
    );
  });

  it('that hangs is cut by its timeout, and the worker goes on to the next job', async () => {
    const signals: AbortSignal[] = [];
    @Processor(QUEUE)
    class Orders extends WorkerHost {
      @Timeout(5)
      async process(job: Job): Promise<string> {
        signals.push(currentSignal());
        return job.data.hangs ? never() : 'done';
      }
    }
    const { work, queue } = await working(Orders);
    expect(await failure(work({ hangs: true }))).toMatchObject({
      message: 'Operation timed out after 5 ms',
    });
    expect(await work({ hangs: false })).toBe('done');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    const [failed] = await queue.getFailed();
    expect(failed?.stacktrace).toEqual([expect.stringContaining('TimeoutError')]);
  });

  it('whose breaker is open is not called', async () => {
    let calls = 0;
    @Processor(QUEUE)
    @CircuitBreaker({ failureThreshold: 2 })
    class Orders extends WorkerHost {
      async process(): Promise<string> {
        calls++;
        throw new Error('down');
      }
    }
    const { work, app } = await working(Orders);
    for (let job = 0; job < 2; job++)
      expect(await failure(work())).toMatchObject({ message: 'down' });
    const refused = (await failure(work())) as Error;
    expect(refused.message).not.toBe('down');
    expect(calls).toBe(2);
    const breaker = app.get(CircuitBreakerRegistry).get('Orders.process');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('keeps to its bulkhead, however many jobs its worker takes', async () => {
    let most = 0;
    let running = 0;
    const gathered = new Deferred<void>();
    const release = new Deferred<void>();
    @Processor(QUEUE, { concurrency: 4 })
    class Orders extends WorkerHost {
      @Bulkhead({ maxConcurrent: 2 })
      async process(): Promise<string> {
        most = Math.max(most, ++running);
        if (running === 2) gathered.resolve();
        await release.promise;
        running--;
        return 'done';
      }
    }
    const { work, app } = await working(Orders);
    const all = [work(), work(), work(), work()];
    await gathered.promise;
    const bulkhead = app.get(BulkheadRegistry).get('Orders.process');
    while (bulkhead.getSnapshot().queued < 2) await new Promise((resolve) => setImmediate(resolve));
    release.resolve();
    expect(await Promise.all(all)).toEqual(['done', 'done', 'done', 'done']);
    expect(most).toBe(2);
  });

  it('falls back with the job, then the error', async () => {
    @Processor(QUEUE)
    class Orders extends WorkerHost {
      readonly name = 'the processor';
      @Fallback('instead')
      async process(job: Job): Promise<unknown> {
        throw new Error(`down: ${job.data.id}`);
      }
      instead(job: Job, ...rest: unknown[]): unknown {
        return { id: job.data.id, error: (rest.at(-1) as Error).message, this: this.name };
      }
    }
    const { work } = await working(Orders);
    expect(await work({ id: 7 })).toEqual({ id: 7, error: 'down: 7', this: 'the processor' });
  });

  it('may be request-scoped, which makes one for each job', async () => {
    let instances = 0;
    @Processor({ name: QUEUE, scope: Scope.REQUEST })
    class Orders extends WorkerHost {
      calls = 0;
      readonly instance = ++instances;
      @Retry(TWICE)
      async process(): Promise<unknown> {
        if (++this.calls === 1) throw new Error('down');
        return { calls: this.calls, instance: this.instance };
      }
    }
    const { work } = await working(Orders);
    const [first, second] = [await work(), await work()] as Orders[];
    expect([first?.calls, second?.calls]).toEqual([2, 2]);
    expect(second?.instance).toBe((first?.instance ?? 0) + 1);
  });

  it('still gets the events of its worker by decorated methods', async () => {
    const heard = new Deferred<unknown>();
    @Processor(QUEUE)
    class Orders extends WorkerHost {
      calls = 0;
      async process(): Promise<string> {
        return 'done';
      }
      @OnWorkerEvent('completed')
      @Retry(TWICE)
      async above(job: Job, result: string): Promise<void> {
        if (++this.calls === 1) throw new Error('down');
        heard.resolve([job.name, result, this.calls]);
      }
    }
    const { work } = await working(Orders);
    expect(await work()).toBe('done');
    expect(await heard.promise).toEqual(['job', 'done', 2]);
  });

  it('that waits for its next attempt holds up the end of the application no longer than the grace', async () => {
    const failed = new Deferred<void>();
    let calls = 0;
    @Injectable()
    class Gateway {
      @Retry({ maxAttempts: 3, baseDelayMs: 3_600_000, maxDelayMs: 3_600_000, jitter: 'none' })
      async load(): Promise<string> {
        calls++;
        failed.resolve();
        throw new Error('down');
      }
    }
    const ended = new Deferred<unknown>();
    @Processor(QUEUE)
    class Orders extends WorkerHost {
      constructor(private readonly gateway: Gateway) {
        super();
      }
      @Timeout(7_200_000)
      async process(): Promise<string> {
        try {
          return await this.gateway.load();
        } catch (error) {
          ended.resolve(error);
          throw error;
        }
      }
    }
    const prefix = `application-${++applications}`;
    const { connection } = redis;
    const metadata = {
      imports: [
        BullModule.forRoot({ connection, prefix }),
        BullModule.registerQueue({ name: QUEUE }),
      ],
      providers: [Orders, Gateway],
    };
    const { app } = await boot(metadata, { shutdown: { graceMs: 20 } });
    await app.get<Queue>(getQueueToken(QUEUE)).add('job', {});
    await failed.promise;
    await app.close(); // BullMQ waits for running jobs
    expect(await ended.promise).toMatchObject({ message: 'down' });
    expect(calls).toBe(1);
  });
});
