import {
  boolean,
  checkOptions,
  countOrZero,
  duration,
  positiveCount,
  type Rules,
} from '../common/options.js';

/** What an `ErrorTracker` keeps and writes. */
export interface ErrorTrackerOptions {
  /** What the error rate covers, in ms. @default 60000 */
  windowMs?: number;
  /** So many types, operations and upstreams are told apart; the rest is `__other__`. @default 1000 */
  maxKeys?: number;
  /** So many errors are kept. @default 100 */
  recentErrors?: number;
  /** One structured record for each error through Nest's logger. @default true */
  log?: boolean;
  /** With the stack. @default only where NODE_ENV is `development` */
  includeStack?: boolean;
}

const RULES: Rules<ErrorTrackerOptions> = {
  windowMs: duration,
  maxKeys: positiveCount,
  recentErrors: countOrZero,
  log: boolean,
  includeStack: boolean,
};

/** @throws ResilienceConfigurationError */
export function checkErrorTrackerOptions(place: string, options: unknown): ErrorTrackerOptions {
  return checkOptions<ErrorTrackerOptions>(place, options, RULES);
}

export function resolveErrorTrackerOptions(
  options: ErrorTrackerOptions,
): Required<ErrorTrackerOptions> {
  const includeStack = process.env.NODE_ENV === 'development';
  return {
    windowMs: 60_000,
    maxKeys: 1_000,
    recentErrors: 100,
    log: true,
    includeStack,
    ...options,
  };
}
