import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, ModuleMetadata, NestApplicationOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { type ResilienceModuleOptions, ResilienceService } from '../../lib/index.js';
import { RecordingLogger, track } from '../binding/support.js';

export type Adapter = 'express' | 'fastify';

/** What prints nothing. */
export const QUIET: ResilienceModuleOptions = {
  errorTracker: { log: false },
  alerts: { sendCritical: () => undefined },
};

export interface Settings extends ModuleMetadata {
  adapter?: Adapter;
  options?: NestApplicationOptions;
  prepare?: (app: INestApplication) => unknown;
}

/** An application that listens on a real socket. */
export class HttpApp {
  protected readonly open: ClientRequest[] = [];

  protected constructor(
    readonly app: INestApplication,
    readonly logger: RecordingLogger,
  ) {}

  static async listen({
    adapter = 'express',
    options = {},
    prepare = () => undefined,
    ...metadata
  }: Settings): Promise<HttpApp> {
    const logger = new RecordingLogger();
    const module = await Test.createTestingModule(metadata).setLogger(logger).compile();
    const driver = adapter === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
    const app = module.createNestApplication(driver, { ...options, logger });
    const started = track(new this(app, logger));
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
    const response = await this.request(method, path, headers);
    response.resume();
    return response.statusCode as number;
  }

  async close(): Promise<void> {
    await this.app.close();
    for (const each of this.open) each.destroy();
  }

  protected async request(
    method: string,
    path: string,
    headers: Record<string, string>,
  ): Promise<IncomingMessage> {
    const sent = request(this.url + path, { agent: false, method, headers }).end();
    this.open.push(sent);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  }
}
