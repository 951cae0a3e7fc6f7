import { freePort } from './free-port.js';
import { type SingleServer, startServer } from './server-process.js';

/** A Redis of the test's own, which keeps nothing. */
export interface Redis extends SingleServer {
  readonly connection: { readonly host: string; readonly port: number };
}

/** Of its configuration, by name: several words where a setting has several values. */
export type RedisSettings = Readonly<Record<string, string | number>>;

/**
 * @param settings with a `port` it is there again after it was stopped
 * @param command what takes its place
 * @throws where there is no `redis-server`, or it does not start
 */
export async function startRedis(
  settings: RedisSettings = {},
  command = 'redis-server',
): Promise<Redis> {
  const port = Number(settings.port ?? (await freePort()));
  const connection = { host: '127.0.0.1', port };
  const server = await startServer({
    package: '`redis-server` (Debian, Ubuntu) or `redis` (others)',
    inFolder: (dir) => ({
      command,
      args: Object.entries({ bind: connection.host, dir, save: '', ...settings, port }).flatMap(
        ([name, value]) => [`--${name}`, ...String(value).split(' ')],
      ),
    }),
    ready: 'Ready to accept connections',
  });
  return { connection, ...server };
}
