import { Redis as Client } from 'ioredis';
import { TOO_FAR_MS } from '../../lib/redis/scripts.js';
import type { Store } from '../../lib/redis/store.js';
import { isWhole } from '../../lib/redis/told.js';
import { type Redis, startRedis } from '../support/redis.js';

const CHANNEL = 'bulwark:1:{shop}';

/** A Redis in which it is the time that a test says, and what boards may ask of it. */
export class TimedRedis {
  now = 1_700_000_000_000;
  /** What boards have refused. */
  refused: string[] = [];
  /** By kind; the board that was made last hears. */
  private readonly listeners = new Map<string, (values: readonly unknown[]) => void>();

  private constructor(
    private readonly redis: Redis,
    readonly client: Client,
    private readonly subscriber: Client,
  ) {
    subscriber.on('message', (_channel, text) => {
      const [, kind, ...values] = JSON.parse(text) as [number, string, ...unknown[]];
      this.tell(kind, values);
    });
  }

  static async start(): Promise<TimedRedis> {
    const redis = await startRedis();
    const subscriber = new Client(redis.connection);
    await subscriber.subscribe(CHANNEL);
    return new TimedRedis(redis, new Client(redis.connection), subscriber);
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    this.subscriber.disconnect();
    await this.redis.stop();
  }

  /** What boards of an instance are made with. */
  storeOf(instance: string): Store {
    const { client } = this;
    const prologue = `local now = tonumber(ARGV[1])\nlocal tooLate = now + ${TOO_FAR_MS}\n`;
    const read: Store['read'] = ({ lua }, keys, args) =>
      client.eval(prologue + lua, keys.length, ...keys, this.now, ...args);
    return {
      instance,
      channel: CHANNEL,
      key: (kind, of, part) => `{${kind}:${of}}:${part}`,
      run: (...asked) => read(...asked) as Promise<number[]>,
      read,
      listen: (kind, told) => {
        this.listeners.set(kind, told);
      },
      isTime: (value): value is number => isWhole(value, this.now + TOO_FAR_MS),
      refused: (what) => this.refused.push(what),
    };
  }

  /** Has boards hear a message, whoever wrote it. */
  tell(kind: string, values: readonly unknown[]): void {
    this.listeners.get(kind)?.(values);
  }
}
