import {
  ATTEMPTS,
  type Caller,
  type Inbound,
  type Send,
  type Setting,
  type Strategy,
} from '../strategy.js';
import { fullJitter, retrying } from './plain.js';

/**
 * The recipes of the article, written down plainly: each does what it says, and none knows of the
 * others.
 */
export const article: Strategy = {
  id: 'article',
  title: "the article's recipes",
  open: (setting) => new ArticleCaller(setting),
};

class ArticleCaller implements Caller {
  private readonly breaker = new CountingBreaker();
  private readonly bulkhead: PlainBulkhead;

  constructor(private readonly setting: Setting) {
    this.bulkhead = new PlainBulkhead(setting.maxConcurrent, setting.queueLimit);
  }

  call(_request: Inbound, send: Send): Promise<unknown> {
    return retrying(ATTEMPTS, fullJitter, () => this.breaker.execute(() => this.attempt(send)));
  }

  private attempt(send: Send): Promise<unknown> {
    const gaveUp = new AbortController();
    const call = this.bulkhead.execute(() => send({ gaveUp: gaveUp.signal }));
    return racing(this.setting.timeoutMs, call, () => gaveUp.abort());
  }
}

/** So many failures within a window open it; after a time everybody may try. */
class CountingBreaker {
  private failures: number[] = [];
  private successes = 0;
  private openedAt: number | undefined = undefined;
  private halfOpen = false;

  async execute<T>(call: () => Promise<T>): Promise<T> {
    if (this.openedAt !== undefined && !this.halfOpen) {
      if (Date.now() - this.openedAt < 1_000) throw new Error('The circuit is open');
      this.halfOpen = true;
      this.successes = 0;
    }
    try {
      const result = await call();
      this.succeeded();
      return result;
    } catch (error) {
      this.failed();
      throw error;
    }
  }

  private succeeded(): void {
    if (!this.halfOpen || ++this.successes < 2) return;
    this.openedAt = undefined;
    this.halfOpen = false;
    this.failures = [];
  }

  private failed(): void {
    const at = Date.now();
    this.failures = [...this.failures.filter((failedAt) => at - failedAt < 30_000), at].slice(-5);
    if (!this.halfOpen && this.failures.length < 5) return;
    this.openedAt = at;
    this.halfOpen = false;
  }
}

/** A timeout that stops waiting, and stops nothing else. */
async function racing<T>(ms: number, call: Promise<T>, onTimeout: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onTimeout();
      reject(new Error('Timed out'));
    }, ms);
  });
  try {
    return await Promise.race([call, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** First in, first out, however long ago that was. */
class PlainBulkhead {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly maxConcurrent: number,
    private readonly queueLimit: number,
  ) {}

  async execute<T>(call: () => Promise<T>): Promise<T> {
    if (this.running < this.maxConcurrent) this.running++;
    else if (this.waiting.length >= this.queueLimit) throw new Error('The bulkhead is full');
    else await new Promise<void>((admitted) => this.waiting.push(admitted));
    try {
      return await call();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next(); // the slot passes on
    }
  }
}
