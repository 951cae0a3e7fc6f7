import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One direction of a connection. */
export interface Way {
  /** From the server to the client. */
  readonly isReply: boolean;
  send(bytes: Buffer): void;
  /** Ends the whole connection. */
  cut(): void;
}

/** What becomes of bytes on their way; the next of the same way wait until it is done. */
export type Conduct = (bytes: Buffer, way: Way, arrivedAt: number) => void | Promise<void>;

export const pass: Conduct = (bytes, way) => way.send(bytes);

/** Nothing comes through, and nobody is told. */
export const swallow: Conduct = () => undefined;

export const delay =
  (ms: number): Conduct =>
  async (bytes, way, arrivedAt) => {
    await sleep(Math.max(0, arrivedAt + ms - performance.now()));
    way.send(bytes);
  };

/** All comes through, but not before `released`. */
export const deliverLate =
  (released: Promise<void>): Conduct =>
  async (bytes, way) => {
    await released;
    way.send(bytes);
  };

/** Connections end in the middle of a reply. */
export const cutReplies: Conduct = (bytes, way) => {
  if (!way.isReply) return way.send(bytes);
  way.send(bytes.subarray(0, Math.ceil(bytes.length / 2)));
  way.cut();
};

/** Replies come byte by byte. */
export const trickle =
  (msEach: number): Conduct =>
  async (bytes, way) => {
    if (!way.isReply) return way.send(bytes);
    for (const byte of bytes) {
      way.send(Buffer.of(byte));
      await sleep(msEach);
    }
  };

/** Stands between clients and a server, and does to their bytes what a test says. */
export class TcpProxy {
  conduct: Conduct = pass;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** Where connections lead that come from now on. */
    public targetPort: number,
  ) {
    server.on('connection', (client) => this.connect(client));
  }

  static async to(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new TcpProxy(server, targetPort);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends all connections. New ones may come. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private connect(client: Socket): void {
    const target = new Socket();
    target.connect({ host: '127.0.0.1', port: this.targetPort, noDelay: true });
    const pair = [client, target] as const;
    const cut = () => {
      for (const socket of pair) socket.destroy();
    };
    for (const [from, to] of [pair, [target, client] as const]) {
      const way: Way = {
        isReply: from === target,
        send: (bytes) => void (to.destroyed || to.write(bytes)),
        cut,
      };
      let done = Promise.resolve();
      this.sockets.add(from);
      from.on('error', cut).on('close', () => {
        this.sockets.delete(from);
        void done.then(() => to.end()); // what is on its way still comes
      });
      from.on('data', (bytes) => {
        const arrivedAt = performance.now();
        const { conduct } = this;
        done = done.then(() => conduct(bytes, way, arrivedAt));
      });
    }
  }
}
