import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import {
  BulkheadRegistry,
  type FleetLink,
  RateLimitRegistry,
  ResilienceModule,
  type TokenRate,
} from 'nestjs-bulwark';
import { RedisFleet } from 'nestjs-bulwark/redis';
import { load } from '../packages.js';

/** How calls are limited. */
export type Limiter = 'leased' | 'call by call' | 'rate-limiter-flexible' | 'bulkhead';

export interface LimitPodOptions {
  readonly limiter: Limiter;
  readonly redis: number;
  readonly namespace: string;
  readonly rate: TokenRate;
  readonly maxConcurrent: number;
}

/** Calls that began, and those that ran to their end, on the clock that all processes share, in ms. */
export interface LimitReport {
  readonly offered: number;
  readonly began: readonly number[];
  readonly ended: readonly number[];
}

interface Flexible {
  RateLimiterRedis: new (options: object) => { consume(key: string): Promise<unknown> };
}

const WORK_MS = 50;

let begin: () => Promise<unknown>;
let app: INestApplicationContext | undefined;
let client: Redis;
let timer: NodeJS.Timeout | undefined;
let offered = 0;
let began: number[] = [];
let ended: number[] = [];

class PodModule {}

export async function start(options: LimitPodOptions): Promise<void> {
  client = new Redis(options.redis, { lazyConnect: true });
  begin = await limited(options);
}

/** Makes calls from now on: as many as that in a second, at random moments. */
export function call(perSecond: number): void {
  clearTimeout(timer);
  const next = () => {
    timer = setTimeout(
      () => {
        offered++;
        begin().catch(() => undefined);
        next();
      },
      -Math.log(1 - Math.random()) * (1_000 / perSecond),
    );
  };
  next();
}

/** @returns what it saw since it was asked last */
export function takeReport(): LimitReport {
  const report = { offered, began, ended };
  offered = 0;
  began = [];
  ended = [];
  return report;
}

export async function stop(): Promise<void> {
  clearTimeout(timer);
  await app?.close();
  client.disconnect();
}

async function limited(options: LimitPodOptions): Promise<() => Promise<unknown>> {
  const { limiter, rate, namespace, maxConcurrent } = options;
  if (limiter === 'rate-limiter-flexible') {
    const { RateLimiterRedis } = await load<Flexible>('rate-limiter-flexible');
    const { limit: points, intervalMs } = rate;
    const flexible = new RateLimiterRedis({
      storeClient: client,
      keyPrefix: namespace,
      points,
      duration: intervalMs / 1_000,
    });
    return async () => {
      await flexible.consume('partner');
      began.push(Date.now());
    };
  }
  const fleet = new RedisFleet({ client, namespace });
  if (limiter === 'call by call') {
    const link: FleetLink = fleet.link({
      instance: String(process.pid),
      sync: async () => undefined,
      changed: () => undefined,
      refused: () => undefined,
      unanswered: () => undefined,
    });
    link.open();
    return async () => {
      const one = { balance: 0, wanted: 1, atLeast: 1 };
      const lease = await link.tokens.lease('partner', rate, one);
      if (lease?.granted === 1) began.push(Date.now());
    };
  }
  const module = ResilienceModule.forRoot({
    bootLog: 'none',
    fleet,
    rateLimits: { partner: { shared: true, ...rate } },
    bulkheads: { ledger: { shared: true, maxConcurrent } },
  });
  app = await NestFactory.createApplicationContext(
    { module: PodModule, imports: [module] },
    { logger: false },
  );
  if (limiter === 'bulkhead') {
    const ledger = app.get(BulkheadRegistry).get('ledger');
    return () =>
      ledger.execute(async () => {
        began.push(Date.now());
        await new Promise((resolve) => setTimeout(resolve, WORK_MS));
        ended.push(Date.now());
      });
  }
  const partner = app.get(RateLimitRegistry).get('partner');
  return () => partner.execute(async () => began.push(Date.now()));
}
