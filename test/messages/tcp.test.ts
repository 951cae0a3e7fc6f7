import { type ClientProxy, type TcpContext, Transport } from '@nestjs/microservices';
import { describeChain } from './chain.support.js';

const host = '127.0.0.1';

describe('Over TCP', () => {
  describeChain(() => ({
    server: () => ({ transport: Transport.TCP, options: { host, port: 0 } }),
    client: (_service, port) => ({
      transport: Transport.TCP,
      options: { host, port: port as number },
    }),
    headerOf: (context: TcpContext, name) => context.getMetadata()?.[name],
    withHeader: inMetadata,
  }));
});

function inMetadata(client: ClientProxy, name: string, value: string): unknown {
  client.setOnDispatchHook((packet) => {
    packet.metadata = { [name]: value };
  });
  return {};
}
