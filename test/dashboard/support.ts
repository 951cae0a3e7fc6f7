import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { Frame } from '../../lib/dashboard/frame.js';
import {
  ResilienceDashboardModule,
  type ResilienceDashboardOptions,
} from '../../lib/dashboard/index.js';
import {
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
} from '../../lib/index.js';
import { closeAll, RecordingLogger, track } from '../binding/support.js';

export { closeAll };

export type Adapter = 'express' | 'fastify';

const QUIET: ResilienceModuleOptions = {
  errorTracker: { log: false },
  alerts: { sendCritical: () => undefined },
};

/** An application with the dashboard, listening on a real socket. */
export class DashboardApp {
  private readonly open: ClientRequest[] = [];

  private constructor(
    readonly app: INestApplication,
    readonly logger: RecordingLogger,
  ) {}

  static async start(
    dashboard: ResilienceDashboardOptions,
    {
      adapter = 'express',
      resilience = {},
      prepare = () => undefined,
      ...metadata
    }: ModuleMetadata & {
      adapter?: Adapter;
      resilience?: ResilienceModuleOptions;
      prepare?: (app: INestApplication) => unknown;
    } = {},
  ): Promise<DashboardApp> {
    const logger = new RecordingLogger();
    const module = await Test.createTestingModule({
      ...metadata,
      imports: [
        ResilienceModule.forRoot({ ...QUIET, ...resilience }),
        ResilienceDashboardModule.forRoot(dashboard),
        ...(metadata.imports ?? []),
      ],
    })
      .setLogger(logger)
      .compile();
    const driver = adapter === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
    const app = module.createNestApplication(driver, { logger });
    const started = track(new DashboardApp(app, logger));
    await prepare(app);
    await app.listen(0, '127.0.0.1');
    return started;
  }

  get url(): string {
    const { port } = this.app.getHttpServer().address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  get resilience(): ResilienceService {
    return this.app.get(ResilienceService);
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.url + path, init);
  }

  /** What a request is answered that has headers which `fetch` would not send. */
  async status(method: string, path: string, headers: Record<string, string>): Promise<number> {
    const sent = request(this.url + path, { agent: false, method, headers }).end();
    this.open.push(sent);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode as number;
  }

  /** Presses a button, as the page does. */
  press(query: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(`/resilience/breakers?${query}`, {
      method: 'POST',
      headers: { 'x-resilience-dashboard': '1', ...headers },
    });
  }

  /** Watches the stream; what has not come in a few seconds fails the test. */
  async watch(path = '/resilience/events', headers: Record<string, string> = {}): Promise<Watcher> {
    const sent = request(this.url + path, { agent: false, headers }).end();
    this.open.push(sent);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return new Watcher(response);
  }

  async close(): Promise<void> {
    await this.app.close();
    for (const each of this.open) each.destroy();
  }
}

/** Somebody who watches, without a browser. */
export class Watcher {
  readonly frames: Frame[] = [];
  private unread = '';
  private readonly checks = new Set<() => void>();
  ended = false;

  constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.take(text));
    response.on('error', () => undefined);
    response.on('close', () => {
      this.ended = true;
      this.notify();
    });
  }

  /** The first frame that satisfies, of those that have come and those that come. */
  async frame(satisfies: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    await this.until(() => this.frames.some(satisfies), what);
    return this.frames.find(satisfies) as Frame;
  }

  until(holds: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.checks.delete(check);
        reject(new Error(`${what} did not come`));
      }, 4_000);
      const check = () => {
        if (!holds()) return;
        clearTimeout(late);
        this.checks.delete(check);
        resolve();
      };
      this.checks.add(check);
      check();
    });
  }

  private take(text: string): void {
    const messages = (this.unread + text).split('\n\n');
    this.unread = messages.pop() ?? '';
    for (const message of messages) {
      if (message.startsWith('data: ')) this.frames.push(JSON.parse(message.slice(6)) as Frame);
    }
    this.notify();
  }

  private notify(): void {
    for (const check of [...this.checks]) check();
  }
}
