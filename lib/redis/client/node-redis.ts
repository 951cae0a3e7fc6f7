import type { Connection, Connector } from './connection.js';

/** What is needed of a client of node-redis, be it of whichever version. */
export interface NodeRedis {
  readonly isReady: boolean;
  readonly options?: { readonly socket?: object };
  duplicate(options: object): NodeRedis;
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
  evalSha(sha: string, options: EvalOptions): Promise<unknown>;
  eval(lua: string, options: EvalOptions): Promise<unknown>;
  subscribe(
    channels: string[],
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
  unref?(): void;
}

interface EvalOptions {
  keys: string[];
  arguments: string[];
}

/** What ours do otherwise than the user's. */
export const OWN_OPTIONS = {
  disableOfflineQueue: true,
  commandOptions: undefined,
  keyPrefix: undefined,
  pingInterval: undefined,
  legacyMode: false,
  readonly: false,
};

export function nodeRedisConnector(client: NodeRedis, connectTimeoutMs: number): Connector {
  return {
    kind: 'node-redis',
    connect: (lost) =>
      nodeRedisConnection(
        client.duplicate({
          ...OWN_OPTIONS,
          socket: {
            ...client.options?.socket,
            reconnectStrategy: false,
            connectTimeout: connectTimeoutMs,
          },
        }),
        lost,
      ),
  };
}

export function nodeRedisConnection(own: NodeRedis, lost: (reason: unknown) => void): Connection {
  let isClosed = false;
  // Without a strategy to connect again, each error is the end.
  own.on('error', (error: unknown) => lost(error));
  own.on('end', () => lost(new Error('the connection was closed')));
  own.unref?.();
  return {
    ready: own.connect(),
    evalsha: (sha, keys, args) => own.evalSha(sha, { keys: [...keys], arguments: [...args] }),
    eval: (lua, keys, args) => own.eval(lua, { keys: [...keys], arguments: [...args] }),
    subscribe: (channels, told) =>
      own.subscribe([...channels], (message, channel) => told(channel, message)),
    close() {
      if (isClosed) return;
      isClosed = true;
      try {
        own.destroy();
      } catch {} // it has ended by itself
    },
  };
}
