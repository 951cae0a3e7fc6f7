import { freePort } from './free-port.js';
import { type ServerProcess, startServer } from './server-process.js';

/** A Redis of the test's own, which keeps nothing. */
export interface Redis extends ServerProcess {
  readonly connection: { readonly host: string; readonly port: number };
}

/** @throws where there is no `redis-server`, or it does not start */
export async function startRedis(): Promise<Redis> {
  const connection = { host: '127.0.0.1', port: await freePort() };
  const { stop } = await startServer({
    package: '`redis-server` (Debian, Ubuntu) or `redis` (others)',
    inFolder: (dir) => ({
      command: 'redis-server',
      args: Object.entries({ bind: connection.host, port: connection.port, dir, save: '' }).flatMap(
        ([name, value]) => [`--${name}`, String(value)],
      ),
    }),
    ready: 'Ready to accept connections',
  });
  return { connection, stop };
}
