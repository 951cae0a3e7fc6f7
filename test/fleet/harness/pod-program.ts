/** A small application in a process of its own, which its parent loads with calls and orders about. */
import 'reflect-metadata';
import { subscribe } from 'node:diagnostics_channel';
import { Agent, get } from 'node:http';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  InMemoryMetrics,
  type ResilienceEvent,
  ResilienceModule,
  ResilienceService,
} from '../../../lib/index.js';
import { RedisFleet } from '../../../lib/redis/index.js';
import { clientOf } from './clients.js';
import type { CallRecord, Load, Order, PodSetup, Told } from './messages.js';
import { POLICIES } from './policies.js';
import { sharedNow } from './shared-time.js';

const setup: PodSetup = JSON.parse(process.argv[2] as string);
const bornAt = sharedNow();
const tell = (told: Told) => process.connected && process.send?.(told);

process.on('disconnect', () => process.exit());
process.on('unhandledRejection', (reason) => unhandled('rejection', reason));
process.on('uncaughtException', (error) => unhandled('exception', error));
process.on('warning', (warning) => unhandled('warning', warning));
function unhandled(kind: string, error: unknown): void {
  tell({ type: 'unhandled', what: `${kind}: ${(error as Error)?.stack ?? String(error)}` });
}

/** The wall clock of this process is set wrong. */
function shiftWallClock(byMs: number): void {
  const RightDate = Date;
  globalThis.Date = class extends RightDate {
    constructor(...given: [] | [number]) {
      super(given.length === 0 ? RightDate.now() + byMs : given[0]);
    }
    static override now = () => RightDate.now() + byMs;
  } as DateConstructor;
}
if (setup.wallClockMs !== undefined) shiftWallClock(setup.wallClockMs);

// Also what happens while the application starts.
subscribe('nestjs-bulwark:event', (message) => {
  const event = message as ResilienceEvent;
  const at = sharedNow();
  if (event.type === 'circuit-state')
    tell({ type: 'transition', at, to: event.to, reason: event.reason });
  if (event.type === 'fleet') tell({ ...event, at });
});

@Module({
  imports: [
    ResilienceModule.forRoot({
      ...POLICIES,
      ...setup.options,
      bootLog: 'none',
      fleet: new RedisFleet({
        client: clientOf(setup.client, setup.address),
        namespace: setup.namespace,
      }),
    }),
  ],
})
class PodModule {}

const app = await NestFactory.createApplicationContext(PodModule, { logger: ['error', 'warn'] });
const resilience = app.get(ResilienceService);
const metrics = app.get(InMemoryMetrics);

const agent = new Agent({ keepAlive: true });

function upstream(what: Load): Promise<void> {
  return new Promise((resolve, reject) => {
    const url = { host: '127.0.0.1', port: setup.upstreamPort, path: `/${what}` };
    get({ ...url, agent, headers: { 'x-pod': setup.name } }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(Object.assign(new Error('The upstream is sick'), { name: 'UpstreamError' }));
    }).on('error', reject);
  });
}

const here = () => Promise.resolve();

const PIPELINES = {
  pay: resilience.pipeline({ name: 'pay', circuitBreaker: 'payments' }),
  quota: resilience.pipeline({ name: 'quota', rateLimit: 'quota' }),
  scarce: resilience.pipeline({ name: 'scarce', rateLimit: 'scarce' }),
  pool: resilience.pipeline({ name: 'pool', bulkhead: 'pool' }),
  tight: resilience.pipeline({ name: 'tight', bulkhead: 'tight' }),
};

let calls: CallRecord[] = [];

async function call(load: Load): Promise<void> {
  const startedAt = sharedNow();
  let begunAt = 0;
  let isOver = false;
  let waited = false;
  setImmediate(() => {
    waited = begunAt === 0 && !isOver;
  });
  const work = load === 'quota' || load === 'scarce' ? here : () => upstream(load);
  const outcome = await PIPELINES[load]
    .execute(() => {
      begunAt = sharedNow();
      return work();
    })
    .then(
      () => 'ok',
      ({ name }: Error) => name,
    );
  isOver = true;
  const endedAt = sharedNow();
  setImmediate(() => calls.push({ load, startedAt, begunAt, endedAt, waited, outcome }));
}

const generators = new Map<Load, NodeJS.Timeout>();

function load(what: Load, perSecond: number): void {
  clearInterval(generators.get(what));
  if (perSecond > 0)
    generators.set(
      what,
      setInterval(() => void call(what), 1_000 / perSecond),
    );
}

setInterval(() => {
  if (calls.length === 0) return;
  tell({ type: 'calls', calls, refused: metrics.get('fleet.refused') });
  calls = [];
}, 50);

function obey(order: Order): void {
  if (order.do === 'stall') {
    const until = performance.now() + order.ms;
    while (performance.now() < until);
    return;
  }
  for (const [what, perSecond] of Object.entries(order.perSecond)) load(what as Load, perSecond);
}

process.on('message', (order: Order) => obey(order));
tell({ type: 'ready', bootMs: sharedNow() - bornAt });
