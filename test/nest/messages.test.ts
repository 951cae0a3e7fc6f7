import 'reflect-metadata';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Module,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientNats,
  ClientProxyFactory,
  ClientRMQ,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { runInScope } from '../../lib/context/ambient.js';
import { Scope } from '../../lib/context/scope.js';
import { headersOfMessage, resilientDeserializer } from '../../lib/edge/message-headers.js';
import { resilientClient } from '../../lib/outbound/resilient-client.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** In a call whose deadline is far. */
const inCall = <T>(fn: () => T) =>
  runInScope(new Scope(2, undefined, performance.now() + 50_000, 50_000), fn);

const TOLD = { 'x-request-attempt': '2', 'x-request-timeout-ms': expect.stringMatching(/^\d+$/) };

describe('What is told beside a message', () => {
  it('comes to the server by TCP', async () => {
    let told: unknown;
    class Told implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        told = headersOfMessage(context);
        return true;
      }
    }
    @Controller()
    class Service {
      @MessagePattern('get')
      @UseGuards(Told)
      get(data: unknown): unknown {
        return data;
      }
    }
    @Module({ controllers: [Service] })
    class Root {}
    const host = '127.0.0.1';
    const service = await NestFactory.createMicroservice<MicroserviceOptions>(Root, {
      transport: Transport.TCP,
      options: { host, port: 0, deserializer: resilientDeserializer() },
      logger: false,
    });
    closing.push(() => service.close());
    await service.listen();
    const { port } = service.unwrap<Server>().address() as AddressInfo;
    const client = resilientClient(
      ClientProxyFactory.create({ transport: Transport.TCP, options: { host, port } }),
    );
    closing.push(() => client.close());
    expect(await inCall(() => firstValueFrom(client.send('get', { id: 1 })))).toEqual({ id: 1 });
    expect(told).toEqual(TOLD);
  });

  it('is among the headers of RMQ, by which a request expires too', () => {
    const sent: { headers?: unknown; expiration?: unknown }[] = [];
    const client = Object.assign(Object.create(ClientRMQ.prototype) as object, {
      options: { headers: { own: '1' } },
      serializer: { serialize: (packet: object) => packet },
      routingMap: new Map(),
      responseEmitter: { on: () => undefined },
      channel: {
        async sendToQueue(_queue: string, _content: Buffer, options: (typeof sent)[number]) {
          sent.push(options);
        },
      },
    }) as unknown as ClientRMQ & { publish(packet: object, onAnswer: () => void): unknown };
    resilientClient(client);
    inCall(() => client.publish({ pattern: 'get', data: {} }, () => undefined));
    expect(sent[0]?.headers).toEqual({ own: '1', ...TOLD });
    expect(sent[0]?.expiration).toMatch(/^\d+$/);
  });

  it('is among the headers of NATS', () => {
    const client = Object.assign(Object.create(ClientNats.prototype) as object, {
      options: {},
      serializer: { serialize: () => ({}) },
    }) as unknown as ClientNats & { mergeHeaders(headers: unknown): Map<string, string> };
    resilientClient(client);
    const headers = inCall(() => client.mergeHeaders(new Map([['own', '1']])));
    expect([...headers]).toEqual([
      ['own', '1'],
      ['x-request-attempt', '2'], // of an event: its publish() is not around it
    ]);
  });
});
