import 'reflect-metadata';
import { Agent, request } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import {
  type CircuitBreakerOptions,
  type CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
} from 'nestjs-bulwark';
import { RedisFleet } from 'nestjs-bulwark/redis';

/** One of the instances, in a process of its own. */
export interface PodOptions {
  readonly number: number;
  /** Of the dependency. */
  readonly port: number;
  /** Where the fleet is; without, it learns alone. */
  readonly redis: number | undefined;
  readonly namespace: string;
  readonly breaker: CircuitBreakerOptions;
}

/** A change of the breaker's state, on the clock that all processes share, in ms. */
export interface Change {
  readonly at: number;
  readonly to: string;
  readonly reason: string;
}

export interface PodReport {
  readonly changes: readonly Change[];
  readonly answered: number;
  readonly failed: number;
  readonly rejected: number;
}

const agent = new Agent({ keepAlive: true });
let app: INestApplicationContext;
let client: Redis | undefined;
let breaker: CircuitBreakerPolicy;
let pod: PodOptions;
let timer: NodeJS.Timeout | undefined;
let changes: Change[] = [];
let counts = { answered: 0, failed: 0, rejected: 0 };

class PodModule {}

/** @returns when it has started, as an orchestrator would see it */
export async function start(options: PodOptions): Promise<void> {
  pod = options;
  const isShared = options.redis !== undefined;
  const module: ResilienceModuleOptions = {
    bootLog: 'none',
    breakers: { payments: isShared ? { shared: true, ...options.breaker } : options.breaker },
  };
  if (isShared) {
    client = new Redis(options.redis as number, { lazyConnect: true });
    module.fleet = new RedisFleet({ client, namespace: options.namespace });
  }
  const imports = [ResilienceModule.forRoot(module)];
  app = await NestFactory.createApplicationContext(
    { module: PodModule, imports },
    { logger: false },
  );
  breaker = app.get(CircuitBreakerRegistry).get('payments');
  app.get(ResilienceEvents).events$.subscribe((event) => {
    if (event.type === 'circuit-state')
      changes.push({ at: Date.now(), to: event.to, reason: event.reason });
  });
}

/** Makes calls from now on, which come independently of each other as those of many users do (Poisson). */
export function call(perSecond: number): void {
  clearTimeout(timer);
  const next = () => {
    timer = setTimeout(
      () => {
        void once();
        next();
      },
      (-Math.log(1 - Math.random()) * 1_000) / perSecond,
    );
  };
  next();
}

/** @returns what it saw since it was asked last */
export function takeReport(): PodReport {
  const report = { changes, ...counts };
  changes = [];
  counts = { answered: 0, failed: 0, rejected: 0 };
  return report;
}

export async function stop(): Promise<void> {
  clearTimeout(timer);
  await app.close();
  client?.disconnect();
  agent.destroy();
}

async function once(): Promise<void> {
  try {
    await breaker.execute(charge);
    counts.answered++;
  } catch (error) {
    if ((error as { code?: string }).code === 'CIRCUIT_OPEN') counts.rejected++;
    else counts.failed++;
  }
}

function charge(): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-pod': String(pod.number) };
    const call = request({ port: pod.port, host: '127.0.0.1', agent, headers }, (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error('The dependency has failed')),
      );
    });
    call.once('error', reject);
    call.end();
  });
}
