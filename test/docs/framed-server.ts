import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server of a protocol whose messages begin with their length. */
export interface FramedServer {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * @param lengthOf how long the message is that these bytes begin, of which the first four are there
 * @param handle is given each message as a whole
 */
export async function startFramedServer(
  lengthOf: (received: Buffer) => number,
  handle: (socket: Socket, message: Buffer) => void,
): Promise<FramedServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    let received = Buffer.alloc(0);
    socket.on('data', (more: Buffer) => {
      received = Buffer.concat([received, more]);
      while (received.length >= 4 && received.length >= lengthOf(received)) {
        const length = lengthOf(received);
        handle(socket, received.subarray(0, length));
        received = received.subarray(length);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
