import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { lastValueFrom, Observable } from 'rxjs';
import { BulkheadPolicy, CircuitState, currentSignal, TimeoutError } from '../../lib/index.js';
import { booting, failure, watch } from '../support/resilience-app.js';

const boot = booting();

/** A server in a thread of its own greets who connects, and counts whom it has greeted. */
const SERVER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const greeted = new Int32Array(workerData);
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('hello', () => {
      Atomics.add(greeted, 0, 1);
      Atomics.notify(greeted, 0);
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const shared = new SharedArrayBuffer(4);
const greeted = new Int32Array(shared);
let server: Worker;
let port: number;

beforeAll(async () => {
  server = new Worker(SERVER, { eval: true, workerData: shared });
  port = await new Promise((resolve) => server.once('message', resolve));
});
afterAll(async () => {
  await server.terminate();
});

async function greet(): Promise<string> {
  const signal = currentSignal();
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    signal.addEventListener('abort', () => socket.destroy());
    socket.on('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(String(data));
    });
  });
}

/** Keeps the event loop busy until so many more have been greeted, and for so long at least. */
async function block(count: number, ms: number): Promise<void> {
  const until = performance.now() + ms;
  const enough = Atomics.load(greeted, 0) + count;
  await new Promise<void>((resolve) => process.nextTick(resolve)); // now Node has begun to connect
  for (let waits = 0; Atomics.load(greeted, 0) < enough; waits++) {
    if (waits === 100) throw new Error('Nobody was greeted');
    Atomics.wait(greeted, 0, Atomics.load(greeted, 0), 100);
  }
  while (performance.now() < until);
}

const TIMEOUT_MS = 50;
const BLOCKED_MS = 4 * TIMEOUT_MS;

describe('an event loop that was blocked by ourselves', () => {
  it('costs nobody an answer that was there', async () => {
    const app = await boot();
    const pipeline = app.pipeline({
      name: 'blocked',
      timeoutMs: TIMEOUT_MS,
      circuitBreaker: { failureThreshold: 1 },
    });
    jest.useRealTimers();
    const calls = Array.from({ length: 6 }, () => pipeline.execute(greet));
    await block(6, BLOCKED_MS);
    expect(await Promise.all(calls)).toEqual(Array(6).fill('hello'));
    expect(app.breakers.get('blocked').getState()).toBe(CircuitState.CLOSED);
  });

  it('saves nobody who has no answer', async () => {
    const app = await boot();
    const pipeline = app.pipeline({ timeoutMs: TIMEOUT_MS });
    jest.useRealTimers();
    const silent = watch(pipeline.execute(() => new Promise(() => undefined)));
    const call = pipeline.execute(greet);
    await block(1, BLOCKED_MS);
    expect(await call).toBe('hello');
    expect(await failure(pipeline.execute(() => new Promise(() => undefined)))).toBeInstanceOf(
      TimeoutError,
    );
    expect(silent.error).toBeInstanceOf(TimeoutError);
  });

  it('hedges no call whose answer was there, and begins no queue anew', async () => {
    const app = await boot();
    const hedged = app.pipeline({ hedge: { delayMs: TIMEOUT_MS } } as never);
    const bulkhead = new BulkheadPolicy('b', { maxConcurrent: 1, queueTimeoutMs: TIMEOUT_MS });
    jest.useRealTimers();
    let runs = 0;
    const answer = hedged.execute(() => {
      runs++;
      return greet();
    });
    const first = bulkhead.execute(greet);
    const queued = bulkhead.execute(async () => 'had a slot');
    await block(2, BLOCKED_MS);
    expect(await answer).toBe('hello');
    expect(runs).toBe(1);
    expect(await first).toBe('hello');
    expect(await queued).toBe('had a slot');
  });

  it('ends no stream whose first value was there', async () => {
    const app = await boot();
    const pipeline = app.pipeline({ timeoutMs: TIMEOUT_MS });
    jest.useRealTimers();
    const values = pipeline.observe(
      () =>
        new Observable<string>((subscriber) => {
          greet().then(
            (value) => {
              subscriber.next(value);
              subscriber.complete();
            },
            (error) => subscriber.error(error),
          );
        }),
    );
    const value = lastValueFrom(values);
    await block(1, BLOCKED_MS);
    expect(await value).toBe('hello');
  });
});
