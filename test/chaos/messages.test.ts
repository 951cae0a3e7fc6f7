import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type ExecutionContext, Injectable } from '@nestjs/common';
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  type TcpContext,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import { Retry } from '../../lib/index.js';
import { closeAll, RecordingLogger, resilienceModule, track } from '../binding/support.js';

afterEach(closeAll);

const HOST = '127.0.0.1';

@Injectable()
class Stock {
  @Retry({ maxAttempts: 1 })
  async count(): Promise<number> {
    return 7;
  }
}

@Controller()
class Counting {
  constructor(private readonly stock: Stock) {}

  @MessagePattern('count')
  async count(): Promise<number> {
    return this.stock.count();
  }
}

describe('Chaos that a message brings along', () => {
  it('comes to the operations that its handler calls, where it is allowed', async () => {
    const allow = (context: ExecutionContext): boolean =>
      context.switchToRpc().getContext<TcpContext>().getMetadata()?.['x-tester'] === 'yes';
    const logger = new RecordingLogger();
    const module = await Test.createTestingModule({
      imports: [
        resilienceModule({
          chaos: { header: { name: 'x-chaos', allow } },
          errorTracker: { log: false },
        }),
      ],
      controllers: [Counting],
      providers: [Stock],
    })
      .setLogger(logger)
      .compile();
    const options: MicroserviceOptions = {
      transport: Transport.TCP,
      options: { host: HOST, port: 0 },
    };
    const app = track(module.createNestMicroservice<MicroserviceOptions>({ ...options, logger }));
    await app.listen();
    const { port } = app.unwrap<{ address(): AddressInfo }>().address();
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: HOST, port },
    });
    track({ close: async () => client.close() });
    let metadata: Record<string, string> = {};
    client.setOnDispatchHook((packet) => {
      packet.metadata = metadata;
    });
    const ask = () =>
      firstValueFrom(client.send('count', {})).then(
        (answer: unknown) => answer,
        () => 'failed',
      );
    metadata = { 'x-chaos': 'Stock.count=error' };
    expect(await ask()).toBe(7);
    metadata = { 'x-chaos': 'Stock.count=error', 'x-tester': 'yes' };
    expect(await ask()).toBe('failed');
    metadata = {};
    expect(await ask()).toBe(7);
  });
});
