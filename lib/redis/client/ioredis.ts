import type { Connection, ConnectionLimits, Connector, Lost } from './connection.js';

/** What is used of any client of ioredis. */
export interface IoRedisBase {
  readonly stream?: { unref?(): unknown };
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  evalsha(sha: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  eval(lua: string, keyCount: number, ...keysAndArgs: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
}

/** The same of one of a single server. */
export interface IoRedis extends IoRedisBase {
  readonly options: { readonly db?: number };
  duplicate(options: object): IoRedis;
}

/** What our connections do otherwise than the user's: also those to the nodes of a cluster. */
export const OWN_OPTIONS = {
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  blockingTimeout: undefined,
  commandTimeout: undefined,
  disconnectTimeout: 100, // it waits so long for a server that may be gone, and keeps the process
  enableAutoPipelining: false,
  enableOfflineQueue: false,
  enableReadyCheck: false, // what is loading, or takes no writes, says so to the first heartbeat
  failoverDetector: false,
  himportFieldsets: undefined,
  keyPrefix: '',
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  monitor: false,
  readOnly: false,
  reconnectOnError: null,
  retryStrategy: null,
  role: 'master',
  sentinelRetryStrategy: null,
  socketTimeout: undefined,
  stringNumbers: false,
};

/** Also where Sentinel says which server it is. */
export function ioredisConnector(client: IoRedis, limits: ConnectionLimits): Connector {
  const options = { ...OWN_OPTIONS, connectTimeout: limits.connectTimeoutMs };
  return {
    database: client.options.db ?? 0,
    connect(lost) {
      const commands = client.duplicate(options);
      const subscriber = client.duplicate(options);
      return {
        ready: Promise.all([connected(commands, lost), connected(subscriber, lost)]),
        ...runningBy(commands),
        subscribe: (channels, told) => subscribe(subscriber, channels, told),
        close() {
          commands.disconnect();
          subscriber.disconnect();
        },
      };
    },
  };
}

/** Resolves when it is ready. It keeps no process alive. */
export function connected(own: IoRedisBase, lost: Lost): Promise<unknown> {
  let failure: unknown;
  own.on('error', (error: unknown) => {
    failure = error;
  });
  own.on('connect', () => own.stream?.unref?.());
  own.on('end', () => lost(failure));
  return own.connect();
}

export function runningBy(own: IoRedisBase): Pick<Connection, 'eval' | 'evalsha'> {
  return {
    evalsha: (sha, keys, args) => own.evalsha(sha, keys.length, ...keys, ...args),
    eval: (lua, keys, args) => own.eval(lua, keys.length, ...keys, ...args),
  };
}

export function subscribe(
  own: IoRedisBase,
  channels: readonly string[],
  told: (channel: string, message: unknown) => void,
): Promise<unknown> {
  own.on('message', told);
  return own.subscribe(...channels);
}
