/** Applications that close, each in a process of its own: `node closing-app.js <name>`. */
import 'reflect-metadata';
import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Module,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  Bulkhead,
  type Fleet,
  type FleetLink,
  ResilienceModule,
  ResilienceService,
  Retry,
  type SlotLease,
  Timeout,
} from '../../lib/index.js';

let isClosing = false;

const tell = (text: string) => process.stdout.write(`${text}\n`);
const turn = () => new Promise((resolve) => setImmediate(resolve));

@Controller('quotes')
class Quotes {
  private runs = 0;

  @Get()
  @Retry({ maxAttempts: 2, baseDelayMs: 1_000, jitter: 'none' })
  async find(): Promise<{ run: number; isClosing: boolean }> {
    this.runs++;
    if (this.runs > 1) return { run: this.runs, isClosing };
    tell('failed once');
    throw new Error('down');
  }
}

@Injectable()
class Outbox implements BeforeApplicationShutdown {
  async beforeApplicationShutdown(): Promise<void> {
    isClosing = true;
    const sent = await Promise.allSettled([1, 2, 3, 4, 5].map((id) => this.send(id)));
    tell(`${sent.filter(({ status }) => status === 'fulfilled').length} of 5 sent`);
  }

  @Bulkhead({ maxConcurrent: 2 })
  async send(_id: number): Promise<void> {
    await turn();
  }

  @Timeout(60_000)
  @Retry()
  hang(): Promise<never> {
    return new Promise(() => undefined);
  }
}

@Module({
  imports: [ResilienceModule.forRoot()],
  providers: [Outbox],
  controllers: [Quotes],
})
class ShopModule {}

@Module({
  imports: [ResilienceModule.forRoot({ shutdown: { graceMs: 50 } })],
  providers: [Outbox],
})
class HastyModule {}

/** Its answers take a while, and so does its end; they hold no process meanwhile. */
const fleet: Fleet = {
  link(member) {
    const link = {
      isUp: false,
      instances: 1,
      open: () => {
        link.isUp = true;
        member.changed(true);
      },
      close: () => later(undefined),
      register: { listen: () => undefined, exchange: async () => [] },
      snapshots: { listen: () => undefined },
      slots: {
        listen: () => () => undefined,
        lease: () => later<SlotLease>({ slots: 1, isDisputed: false }),
      },
    };
    return link as unknown as FleetLink;
  },
};

function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(value), 20).unref();
  });
}

async function serve(application: INestApplication): Promise<void> {
  application.enableShutdownHooks();
  await application.listen(0, '127.0.0.1');
  tell(`listening at ${await application.getUrl()}`);
}

const quiet = { logger: false } as const;

const APPLICATIONS: Record<string, () => Promise<void>> = {
  express: async () => serve(await NestFactory.create(ShopModule, quiet)),
  fastify: async () => serve(await NestFactory.create(ShopModule, new FastifyAdapter(), quiet)),
  hanging: async () => {
    const context = await NestFactory.createApplicationContext(HastyModule, quiet);
    void context.get(Outbox).hang();
    await context.close();
    tell('closed');
  },
  leaving: async () => {
    const module = ResilienceModule.forRoot({ fleet });
    const context = await NestFactory.createApplicationContext(module, quiet);
    await context.close();
    tell('closed');
  },
  queued: async () => {
    const bulkheads = { write: { maxConcurrent: 2, shared: true } };
    const module = ResilienceModule.forRoot({ fleet, bulkheads });
    const context = await NestFactory.createApplicationContext(module, quiet);
    const pipeline = context.get(ResilienceService).pipeline({ bulkhead: 'write' });
    tell(await pipeline.execute(async () => 'answered'));
    await context.close();
  },
  waiting: async () => {
    const context = await NestFactory.createApplicationContext(HastyModule, quiet);
    const pipeline = context.get(ResilienceService).pipeline({ timeoutMs: 50 });
    for (const number of [1, 2])
      await pipeline.execute(never).catch(({ name }: Error) => tell(`${name} ${number}`));
  },
};

const never = () => new Promise<never>(() => undefined);

await APPLICATIONS[process.argv[2] ?? '']?.();
