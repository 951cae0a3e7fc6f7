import type { Connection, Connector } from './connection.js';

/** What is needed of a client of ioredis, be it of whichever version. */
export interface IoRedis {
  readonly status: string;
  duplicate(options: object): IoRedis;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  evalsha(sha: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  eval(lua: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  readonly stream?: { unref?(): unknown };
}

/** What ours do otherwise than the user's. */
const OWN_OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  retryStrategy: null,
  reconnectOnError: null,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false,
  keyPrefix: '',
  stringNumbers: false,
  readOnly: false,
  monitor: false,
};

/** Also for what Sentinel watches, as its options say. */
export function ioredisConnector(client: IoRedis, connectTimeoutMs: number): Connector {
  return {
    kind: 'ioredis',
    connect: (lost) =>
      ioredisConnection(
        client.duplicate({ ...OWN_OPTIONS, connectTimeout: connectTimeoutMs }),
        lost,
      ),
  };
}

export function ioredisConnection(own: IoRedis, lost: (reason: unknown) => void): Connection {
  let last: unknown;
  own.on('error', (error: unknown) => {
    last = error;
  });
  own.on('connect', () => own.stream?.unref?.());
  own.on('end', () => lost(last ?? new Error('the connection was closed')));
  return {
    ready: own.connect(),
    evalsha: (sha, keys, args) => own.evalsha(sha, keys.length, ...keys, ...args),
    eval: (lua, keys, args) => own.eval(lua, keys.length, ...keys, ...args),
    subscribe(channels, told) {
      own.on('message', told as (...args: never[]) => void);
      return own.subscribe(...channels);
    },
    close: () => own.disconnect(),
  };
}
