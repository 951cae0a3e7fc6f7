import type { Connection, Connector, Told } from './client/connection.js';
import { sentAs } from './scripts.js';
import type { Script } from './store.js';

/** What has come of a question: an answer, or why there is none. */
export type Outcome = { readonly answer: unknown } | { readonly failure: Error };

/** One time that Redis is reached: from when connections are made until the first of them is lost. */
export class Session {
  isOver = false;
  /** So many questions in a row were not answered in time. */
  missed = 0;
  private connection: Connection | undefined;
  /** Ends each wait for an answer. */
  private readonly waits = new Set<(outcome: Outcome) => void>();

  /** @param over told once, unless it is ended by `close()` */
  constructor(
    private readonly timeoutMs: number,
    private readonly over: (reason: Error) => void,
  ) {}

  /**
   * Connects, and listens to the channels.
   *
   * @returns whether it does; `over` says why not
   */
  begin(
    connector: Connector,
    connectTimeoutMs: number,
    channels: readonly string[],
    told: Told,
  ): Promise<boolean> {
    return new Promise((resolve) => {
      const late = new Error(`there was no connection within ${connectTimeoutMs} ms`);
      const timer = setTimeout(() => setImmediate(() => done({ failure: late })), connectTimeoutMs);
      timer.unref();
      const done = (outcome: Outcome) => {
        clearTimeout(timer);
        if (this.waits.delete(done) && 'failure' in outcome) this.end(outcome.failure);
        resolve(!this.isOver);
      };
      this.waits.add(done);
      this.connect(connector, channels, told).then(
        () => done({ answer: undefined }),
        (error: unknown) => done({ failure: asError(error) }),
      );
    });
  }

  /** Runs a script at once; it is not run where it arrives after that time of Redis. */
  ask(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    notAfter: number,
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      // What has come while the event loop was blocked is read before it is judged to be missing.
      const timer = setTimeout(() => setImmediate(() => this.miss(done)), this.timeoutMs);
      timer.unref();
      const done = (outcome: Outcome) => {
        clearTimeout(timer);
        this.waits.delete(done);
        resolve(outcome);
      };
      this.waits.add(done);
      this.send(script, keys, [String(notAfter), ...args]).then(
        (answer) => {
          this.missed = 0;
          done({ answer });
        },
        (error: unknown) => done({ failure: asError(error) }),
      );
    });
  }

  /** It does not work any more. */
  end(reason: Error): void {
    if (this.isOver) return;
    this.close(reason);
    this.over(reason);
  }

  /** It is not needed any more. */
  close(reason = new Error('the link is closed')): void {
    if (this.isOver) return;
    this.isOver = true;
    this.connection?.close();
    for (const done of [...this.waits]) done({ failure: reason });
  }

  private async connect(
    connector: Connector,
    channels: readonly string[],
    told: Told,
  ): Promise<void> {
    const connection = connector.connect((reason) =>
      this.end(reason === undefined ? new Error('the connection was closed') : asError(reason)),
    );
    this.connection = connection;
    await connection.ready;
    if (this.isOver) return;
    await connection.subscribe(channels, (channel, message) => {
      if (!this.isOver) told(channel, message);
    });
  }

  private async send(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const { connection } = this;
    if (connection === undefined || this.isOver) throw new Error('there is no connection');
    const { sha, lua } = sentAs(script);
    try {
      return await connection.evalsha(sha, keys, args);
    } catch (error) {
      if (this.isOver || !asError(error).message.startsWith('NOSCRIPT')) throw error;
      return connection.eval(lua, keys, args);
    }
  }

  private miss(done: (outcome: Outcome) => void): void {
    if (!this.waits.has(done)) return;
    this.missed++;
    done({ failure: new Error(`there was no answer within ${this.timeoutMs} ms`) });
  }
}

/** Some have no message but a code, as where none of a host's addresses is reached. */
function asError(error: unknown): Error {
  const { message, code, name } = (error ?? {}) as Partial<Error & { code: unknown }>;
  if (error instanceof Error && message !== '') return error;
  return new Error(String(message || code || name || error), { cause: error });
}
