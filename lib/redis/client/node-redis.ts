import type { Connection, ConnectionLimits, Connector, Lost } from './connection.js';

/** What is used of any client of node-redis. */
export interface NodeRedisBase {
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  eval(lua: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  subscribe(
    channels: string[],
    listener: (message: string, channel: string) => void,
  ): Promise<unknown>;
}

/** The same of one of a single server. */
export interface NodeRedis extends NodeRedisBase {
  readonly options?: { readonly socket?: object; readonly database?: number };
  duplicate(options: object): NodeRedis;
  unref(): void;
}

/** What our connections do otherwise than the user's: also those to the nodes of a cluster. */
export const OWN_OPTIONS = {
  clientSideCache: undefined,
  commandOptions: undefined,
  commandsQueueMaxLength: undefined,
  disableOfflineQueue: true,
  emitInvalidate: false,
  keyPrefix: undefined,
  pingInterval: undefined,
  readonly: false,
};

export function nodeRedisConnector(client: NodeRedis, limits: ConnectionLimits): Connector {
  const options = { ...OWN_OPTIONS, socket: ownSocket(client.options?.socket, limits) };
  return {
    database: client.options?.database ?? 0,
    connect(lost) {
      const commands = connecting(client.duplicate(options), lost);
      const subscriber = connecting(client.duplicate(options), lost);
      return {
        ready: Promise.all([commands.ready, subscriber.ready]),
        ...runningBy(commands.own),
        subscribe: (channels, told) => subscribe(subscriber.own, channels, told),
        close() {
          commands.close();
          subscriber.close();
        },
      };
    },
  };
}

/** Of the user's, with ends of ours: no client makes a second connection, or keeps one that is silent. */
export function ownSocket(socket: object | undefined, limits: ConnectionLimits): object {
  return {
    ...socket,
    reconnectStrategy: false,
    connectTimeout: limits.connectTimeoutMs,
    socketTimeout: limits.silenceMs,
  };
}

export function runningBy(own: NodeRedisBase): Pick<Connection, 'eval' | 'evalsha'> {
  return {
    evalsha: (sha, keys, args) => own.evalSha(sha, { keys: [...keys], arguments: [...args] }),
    eval: (lua, keys, args) => own.eval(lua, { keys: [...keys], arguments: [...args] }),
  };
}

export function subscribe(
  own: NodeRedisBase,
  channels: readonly string[],
  told: (channel: string, message: unknown) => void,
): Promise<unknown> {
  return own.subscribe([...channels], (message, channel) => told(channel, message));
}

/** What has ended by itself is not there any more to be ended. */
export function destroy(own: NodeRedisBase): void {
  try {
    Promise.resolve(own.destroy()).catch(() => undefined);
  } catch {}
}

function connecting(own: NodeRedis, lost: Lost) {
  let isConnected = false;
  let failure: unknown;
  own.on('error', (error: unknown) => {
    failure = error;
    if (isConnected) lost(error); // it does not connect again
  });
  own.on('end', () => lost(failure));
  own.on('connect', () => {
    isConnected = true;
  });
  own.unref();
  return {
    own,
    ready: own.connect(),
    close() {
      // The socket of one that is about to connect is not known to it yet.
      if (isConnected) destroy(own);
      else own.on('connect', () => destroy(own));
    },
  };
}
