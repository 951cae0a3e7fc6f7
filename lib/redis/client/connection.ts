/** A script as Redis gets it: by the digest that it may know it by, and in full where it does not. */
export interface SentScript {
  readonly sha: string;
  readonly lua: string;
}

/**
 * A connection of our own: it connects once. It does not connect again, keeps no command for later and
 * sends none twice, since all that is shared has to be asked for anew after a loss.
 */
export interface Connection {
  /** Resolves when commands can be sent. Rejects where that is not to be. */
  readonly ready: Promise<unknown>;
  /** @returns what the script answers, by its digest */
  evalsha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** @returns the same, by its text */
  eval(lua: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Resolves when the channels are listened to. */
  subscribe(channels: readonly string[], told: Told): Promise<unknown>;
  /** Ends it at once; nothing is told afterwards. Again is no harm. */
  close(): void;
}

/** Told of the messages of a channel. */
export type Told = (channel: string, message: unknown) => void;

/** Makes connections that reach what the user's client does. */
export interface Connector {
  /** Which kind of client it is, for messages. */
  readonly kind: string;
  /** @param lost told once, where it ends by itself or cannot connect */
  connect(lost: (reason: unknown) => void): Connection;
}
