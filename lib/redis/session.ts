import type { Connection, Connector, Told } from './client/connection.js';
import { RedisClock } from './redis-clock.js';
import { sentAs } from './scripts.js';
import type { Script } from './store.js';

/** How often in a row nothing is answered until the connection counts as lost. */
const MAX_UNANSWERED = 2;

/** Later than any time of Redis: for what has no time at which it would be wrong. */
const NO_DEADLINE = Number.MAX_SAFE_INTEGER;

/** Of what was lost, and of what was not answered. */
export interface SessionReports {
  /** Told once. Nothing is asked afterwards. */
  lost(reason: Error): void;
  unanswered(): void;
}

/** One time that Redis is reached, by a connection for commands and one that listens. */
export class Session {
  private readonly commands: Connection;
  private readonly subscriber: Connection;
  private readonly clock = new RedisClock();
  /** Ends each wait for an answer. */
  private readonly waits = new Set<() => void>();
  private unanswered = 0;
  private isReady = false;
  private isOver = false;

  constructor(
    connector: Connector,
    private readonly timeoutMs: number,
    private readonly reports: SessionReports,
  ) {
    const lost = (reason: unknown) => this.end(reason);
    this.commands = connector.connect(lost);
    this.subscriber = connector.connect(lost);
  }

  /** Resolves when the channels are listened to and commands can be sent; rejects where that is not to be. */
  async begin(channels: readonly string[], told: Told): Promise<void> {
    await Promise.all([
      this.commands.ready,
      this.subscriber.ready.then(() =>
        this.subscriber.subscribe(channels, (channel, message) => {
          if (!this.isOver) told(channel, message);
        }),
      ),
    ]);
    this.isReady = !this.isOver;
  }

  /** Runs a script that is done whenever it arrives, and says in its first number what time it is in Redis. */
  async synchronize(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const sentAt = performance.now();
    const answer = await this.send(script, keys, [String(NO_DEADLINE), ...args]);
    const redisMs = Array.isArray(answer) ? (answer[0] as unknown) : undefined;
    if (typeof redisMs === 'number') this.clock.set(redisMs, sentAt, performance.now());
    return answer;
  }

  /** Runs a script, unless it arrives too late. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const notAfter = this.clock.now(performance.now()) + 2 * this.timeoutMs;
    return this.send(script, keys, [String(notAfter), ...args]);
  }

  /** It was lost, or is not needed any more. */
  end(reason?: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.isReady = false;
    this.commands.close();
    this.subscriber.close();
    for (const end of [...this.waits]) end();
    if (reason !== undefined)
      this.reports.lost(reason instanceof Error ? reason : new Error(String(reason)));
  }

  private send(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (!this.isReady) return Promise.resolve(undefined);
    const { sha, lua } = sentAs(script);
    const asked = this.commands.evalsha(sha, keys, args).catch((error: unknown) => {
      if (!startsWith(error, 'NOSCRIPT') || this.isOver) throw error;
      return this.commands.eval(lua, keys, args);
    });
    return this.inTime(asked);
  }

  /** Resolves with the answer; with nothing where there is none in time, or a failure. */
  private inTime(asked: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      const end = (answer?: unknown) => {
        clearTimeout(timer);
        this.waits.delete(end);
        resolve(answer);
      };
      // What has come while the event loop was blocked is read before it is judged to be missing.
      const timer = setTimeout(() => setImmediate(() => this.late(end)), this.timeoutMs);
      timer.unref();
      this.waits.add(end);
      asked.then(
        (answer) => {
          this.unanswered = 0;
          end(answer);
        },
        (error: unknown) => {
          if (!this.waits.has(end)) return;
          this.reports.unanswered();
          end();
          // A replica takes no writes: all others would fail alike.
          if (startsWith(error, 'READONLY')) this.end(error);
        },
      );
    });
  }

  private late(end: () => void): void {
    if (!this.waits.has(end)) return;
    end();
    this.reports.unanswered();
    this.unanswered++;
    if (this.unanswered >= MAX_UNANSWERED)
      this.end(
        new Error(`no answer within ${this.timeoutMs} ms, ${this.unanswered} times in a row`),
      );
  }
}

function startsWith(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code);
}
