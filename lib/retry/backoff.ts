import { displayAnswer } from '../common/answers.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { ResolvedRetryOptions, RetryDelay } from './retry.options.js';

/** How long to wait before each retry. */
export interface Backoff {
  /**
   * @param attempt the number of the one that failed, from 1
   * @param previousDelayMs the wait before that; `undefined` before the first
   * @throws what `delayMs` throws; a ResilienceConfigurationError where what it answers is no time
   */
  delayMs(attempt: number, error: unknown, previousDelayMs: number | undefined): number;
  /** The shortest wait that may come after an attempt, in ms. */
  shortestMs(attempt: number): number;
}

/** @throws ResilienceConfigurationError where a wait is longer than any may be */
export function backoffOf(options: ResolvedRetryOptions, place: string): Backoff {
  const { delayMs, maxDelayMs } = options;
  if (delayMs === undefined) return new GrowingDelays(options);
  if (typeof delayMs === 'function')
    return new AskedDelays(delayMs, maxDelayMs, `${place}.delayMs`);
  const tooLong = delayMs.find((delay) => delay > maxDelayMs);
  if (tooLong === undefined) return new ListedDelays(delayMs);
  throw new ResilienceConfigurationError(
    `${place}.delayMs`,
    `is ${display(delayMs)}, where ${tooLong} is more than maxDelayMs ${maxDelayMs}; allowed: at most that, or give a greater maxDelayMs`,
  );
}

/** One after the other; the last is that of all further retries. */
class ListedDelays implements Backoff {
  constructor(private readonly delays: readonly number[]) {}

  delayMs(attempt: number): number {
    return this.delays[Math.min(attempt, this.delays.length) - 1] as number;
  }

  shortestMs(attempt: number): number {
    return this.delayMs(attempt);
  }
}

class AskedDelays implements Backoff {
  constructor(
    private readonly ask: RetryDelay,
    private readonly maxDelayMs: number,
    private readonly place: string,
  ) {}

  delayMs(attempt: number, error: unknown, previousDelayMs: number | undefined): number {
    const { ask } = this;
    const answer: unknown = ask(attempt, error, previousDelayMs);
    if (typeof answer === 'number' && answer >= 0) return Math.min(answer, this.maxDelayMs);
    throw new ResilienceConfigurationError(
      this.place,
      `answered ${displayAnswer(answer)}; allowed: a number of ms from 0`,
      { cause: error },
    );
  }

  shortestMs(): number {
    return 0;
  }
}

class GrowingDelays implements Backoff {
  constructor(private readonly options: ResolvedRetryOptions) {}

  delayMs(attempt: number, _error: unknown, previousDelayMs: number | undefined): number {
    const { baseDelayMs, maxDelayMs, jitter } = this.options;
    if (jitter === 'decorrelated') {
      const highest = Math.max(baseDelayMs, 3 * (previousDelayMs ?? baseDelayMs));
      return Math.min(maxDelayMs, uniform(baseDelayMs, highest));
    }
    return uniform(this.shortestMs(attempt), this.longestMs(attempt));
  }

  shortestMs(attempt: number): number {
    const { baseDelayMs, maxDelayMs, jitter } = this.options;
    if (jitter === 'full') return 0;
    if (jitter === 'decorrelated') return Math.min(maxDelayMs, baseDelayMs);
    return jitter === 'equal' ? this.longestMs(attempt) / 2 : this.longestMs(attempt);
  }

  private longestMs(attempt: number): number {
    const { baseDelayMs, maxDelayMs, factor } = this.options;
    const growth = Math.min(Number.MAX_VALUE, factor ** (attempt - 1)); // 0 · Infinity is no number
    return Math.min(maxDelayMs, baseDelayMs * growth);
  }
}

function uniform(from: number, to: number): number {
  return from === to ? from : from + Math.random() * (to - from);
}
