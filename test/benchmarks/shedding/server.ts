import 'reflect-metadata';
import { pbkdf2Sync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Critical, type InboundOptions, ResilienceModule } from 'nestjs-bulwark';

/** What keeps a server from being overloaded. */
export type Protection = 'none' | 'shedding' | 'shedding, adaptive' | '@fastify/under-pressure';

export interface ServerOptions {
  readonly platform: 'Express' | 'Fastify';
  readonly protection: Protection;
}

/** How late the event loop may be, by whichever protection. */
const LATE_MS = 100;

const INBOUND: Partial<Record<Protection, InboundOptions>> = {
  shedding: { shedding: { maxEventLoopDelayMs: LATE_MS } },
  'shedding, adaptive': { shedding: { adaptive: true, maxEventLoopDelayMs: LATE_MS } },
};

/** About 8 ms of the event loop: few requests overload it, so that those who send them have little to do. */
const ROUNDS = 24_000;
/** A handler waits so long for something else, before it works. */
const IO_MS = 5;

/** Each has the same to do. */
@Controller()
class Shop {
  @Critical()
  @Get('checkout/:id')
  checkout(): Promise<string> {
    return this.work();
  }
  @Get('items/:id')
  item(): Promise<string> {
    return this.work();
  }
  @Critical(false)
  @Get('hints/:id')
  hints(): Promise<string> {
    return this.work();
  }
  @Get('health')
  health(): string {
    return 'ok';
  }

  private async work(): Promise<string> {
    await pause(IO_MS);
    return pbkdf2Sync('password', 'salt', ROUNDS, 32, 'sha256').toString('hex');
  }
}

let app: INestApplication;

/** @returns the port that it listens on */
export async function start({ platform, protection }: ServerOptions): Promise<number> {
  const inbound = INBOUND[protection];
  @Module({
    imports: [
      ResilienceModule.forRoot({
        bootLog: 'none',
        errorTracker: { log: false },
        ...(inbound && { inbound }),
      }),
    ],
    controllers: [Shop],
  })
  class Root {}
  const adapter = platform === 'Express' ? new ExpressAdapter() : new FastifyAdapter();
  app = await NestFactory.create(Root, adapter, { logger: false });
  if (protection === '@fastify/under-pressure') {
    const { default: plugin } = await import('@fastify/under-pressure');
    await (app as NestFastifyApplication).register(
      plugin as never,
      {
        maxEventLoopDelay: LATE_MS,
      } as never,
    );
  }
  await app.listen(0, '127.0.0.1');
  return (app.getHttpServer().address() as AddressInfo).port;
}
