import { Logger } from '@nestjs/common';
import { describeError } from './error-record.js';

const logger = new Logger('Resilience');

/**
 * Calls a user's recorder, channel, listener or context function. Whatever it does, throw or reject,
 * the resilient call goes on; it is said once a kind, so that a broken one is noticed and does not
 * flood the log.
 */
export class Guard {
  private warned = false;

  constructor(private readonly what: string) {}

  run<R>(call: () => R): R | undefined {
    try {
      const result = call();
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
        Promise.resolve(result).catch((error) => this.warn(error));
      }
      return result;
    } catch (error) {
      this.warn(error);
      return undefined;
    }
  }

  /** Says that a call has failed, the first time. */
  warn(error: unknown): void {
    if (this.warned) return;
    this.warned = true;
    const { message } = describeError(error);
    try {
      logger.warn(`${this.what} failed: ${message} (said once; calls go on without it)`);
    } catch {} // a logger may be broken too
  }
}
