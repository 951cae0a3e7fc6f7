/**
 * What reaches Redis by connections of our own. They are made once: none connects again, keeps a command
 * for later or sends one twice, since after a loss all that is shared has to be asked for anew.
 */
export interface Connection {
  /** Resolves when commands can be sent. Rejects where that is not to be. */
  readonly ready: Promise<unknown>;
  /** @returns what the script with the digest answers */
  evalsha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** @returns the same, by its text */
  eval(lua: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Resolves when the channels are listened to. */
  subscribe(channels: readonly string[], told: Told): Promise<unknown>;
  /** Ends them at once. Again is no harm. */
  close(): void;
}

/** Told of the messages of a channel. */
export type Told = (channel: string, message: unknown) => void;

/** Told where a connection ends by itself. */
export type Lost = (reason: unknown) => void;

/** Makes connections to where the user's client connects to. */
export interface Connector {
  /** Messages know no databases: those of another one are another's. */
  readonly database: number;
  connect(lost: Lost): Connection;
}

/** How long it may take until a connection is made, and until one that was not closed properly is given up. */
export interface ConnectionLimits {
  readonly connectTimeoutMs: number;
  /** Something is heard more often than that. */
  readonly silenceMs: number;
}
