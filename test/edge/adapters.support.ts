import { request as http1Request } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import type { ModuleMetadata } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { ResilienceModuleOptions } from '../../lib/index.js';
import { RecordingLogger, resilienceModule, track } from '../binding/support.js';
import { soon } from './waiting.js';

/** Sends a request; the answer is read as far as a test wants to, and the client may leave at any time. */
export interface Exchange {
  /** Once the headers are there. */
  readonly response: Promise<{
    status: number;
    headers: Record<string, string | string[] | undefined>;
    stream: Readable;
  }>;
  leave(): void;
}

type Send = (url: string, path: string, method: string) => Exchange;

const overHttp1: Send = (url, path, method) => {
  const request = http1Request(url + path, { method, agent: false });
  const response = new Promise<Awaited<Exchange['response']>>((resolve, reject) => {
    request.on('error', reject).on('response', (stream) => {
      stream.on('error', () => undefined); // it breaks off where the client leaves
      resolve({ status: stream.statusCode ?? 0, headers: stream.headers, stream });
    });
  });
  response.catch(() => undefined);
  request.end();
  return { response, leave: () => request.destroy() };
};

const overHttp2 =
  (leave: 'stream' | 'session'): Send =>
  (url, path, method) => {
    const session = http2Connect(url);
    const stream = session.request({ ':path': path, ':method': method });
    stream.on('close', () => session.destroy());
    session.on('error', () => undefined);
    const response = new Promise<Awaited<Exchange['response']>>((resolve, reject) => {
      session.on('error', reject);
      stream.on('error', reject).on('response', ({ ':status': status, ...headers }) => {
        resolve({ status: status ?? 0, headers, stream });
      });
    });
    response.catch(() => undefined);
    stream.end();
    return { response, leave: () => (leave === 'stream' ? stream.close() : session.destroy()) };
  };

export interface Platform {
  readonly name: string;
  adapter(): AbstractHttpAdapter;
  readonly send: Send;
}

const express = () => new ExpressAdapter();
const fastify = () => new FastifyAdapter({ forceCloseConnections: true });
const fastifyHttp2 = () => new FastifyAdapter({ http2: true }) as AbstractHttpAdapter;

export const EXPRESS: Platform = { name: 'Express', adapter: express, send: overHttp1 };
export const FASTIFY: Platform = { name: 'Fastify', adapter: fastify, send: overHttp1 };
/** The two ways a client of HTTP/2 leaves: it gives up one request, or the whole connection. */
export const HTTP2: Platform[] = [
  {
    name: 'Fastify over HTTP/2 (the stream is reset)',
    adapter: fastifyHttp2,
    send: overHttp2('stream'),
  },
  {
    name: 'Fastify over HTTP/2 (the connection breaks)',
    adapter: fastifyHttp2,
    send: overHttp2('session'),
  },
];

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: unknown;
}

/** An application that listens on a real socket. */
export async function listen(
  platform: Platform,
  metadata: ModuleMetadata,
  options: ResilienceModuleOptions = {},
) {
  const logger = new RecordingLogger();
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [resilienceModule(options), ...(metadata.imports ?? [])],
  })
    .setLogger(logger)
    .compile();
  const app = module.createNestApplication(platform.adapter(), { logger });
  const exchanges: Exchange[] = [];
  track({
    async close() {
      for (const exchange of exchanges) exchange.leave();
      await app.close();
    },
  });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const open = (path: string, method = 'GET') => {
    const exchange = platform.send(`http://127.0.0.1:${port}`, path, method);
    exchanges.push(exchange);
    return exchange;
  };
  return {
    app,
    logger,
    open,
    /** The whole answer. */
    async call(path: string, method = 'GET'): Promise<Answer> {
      const { status, headers, stream } = await soon(open(path, method).response, 'the answer');
      const text = await soon(textOf(stream), 'the end of the answer');
      const isJson = String(headers['content-type']).includes('json') && text !== '';
      return { status, headers, body: isJson ? JSON.parse(text) : text };
    },
  };
}

export type Listening = Awaited<ReturnType<typeof listen>>;

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

/** Reads a stream until `text` has come. */
export async function readUntil(stream: Readable, text: string): Promise<string> {
  let read = '';
  const found = new Promise<string>((resolve, reject) => {
    stream.on('data', (chunk) => {
      read += chunk;
      if (read.includes(text)) resolve(read);
    });
    stream.on('close', () => reject(new Error(`The stream ended at ${JSON.stringify(read)}`)));
  });
  return soon(found, text);
}
