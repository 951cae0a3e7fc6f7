import {
  checkOptions,
  countOrZero,
  duration,
  positiveCount,
  type Rules,
} from '../common/options.js';

/** How many calls run and wait at a time. */
export interface BulkheadOptions {
  /** So many calls run at a time. @default 10 */
  maxConcurrent?: number;
  /** So many wait for a slot, first in, first out; 0 means no queue. @default 100 */
  queueLimit?: number;
  /** A call that has waited this long, in ms, is rejected. @default as long as its timeout lets it */
  queueTimeoutMs?: number;
}

/** The options in force. */
export interface ResolvedBulkheadOptions extends BulkheadOptions {
  maxConcurrent: number;
  queueLimit: number;
}

const RULES: Rules<BulkheadOptions> = {
  maxConcurrent: positiveCount,
  queueLimit: countOrZero,
  queueTimeoutMs: duration,
};

/** @throws ResilienceConfigurationError */
export function checkBulkheadOptions(place: string, options: unknown): BulkheadOptions {
  return checkOptions<BulkheadOptions>(place, options, RULES);
}

export function resolveBulkheadOptions(options: BulkheadOptions): ResolvedBulkheadOptions {
  return { maxConcurrent: 10, queueLimit: 100, ...options };
}
