import {
  boolean,
  countOrZero,
  duration,
  durationOrZero,
  positiveCount,
  predicate,
} from '../common/option-rules.js';
import { checkerOf } from '../common/options.js';

/** What an `ErrorTracker` keeps and writes. */
export interface ErrorTrackerOptions {
  /** How far back the error rate looks, in ms. @default 60000 */
  windowMs?: number;
  /**
   * How many types, operations and upstreams are told apart, each; at least 1. The rest is counted as
   * `__other__`. @default 1000
   */
  maxKeys?: number;
  /** How many of the latest errors are kept for `getRecentErrors()`. @default 100 */
  recentErrors?: number;
  /**
   * Whether `getRecentErrors()` has the errors themselves too, with all that they hold: responses,
   * requests, sockets. @default false
   */
  keepErrors?: boolean;
  /**
   * Whether errors and the transitions of circuit breakers are written to Nest's logger, as structured
   * records: at `error` what the caller of an operation saw, at `warn` what a fallback or a degradation
   * hid from it. @default true
   */
  log?: boolean;
  /**
   * Of each kind of record the first is written, and then once in this time the latest, with how many
   * there were (`repeated`), in ms; 0 writes each. @default 60000
   */
  logIntervalMs?: number;
  /** Whether records in the log have the error's stack. @default only where NODE_ENV is `development` */
  includeStack?: boolean;
  /**
   * What `metadata` passes before it is logged, kept or sent, after it was made readable (a `Map` as an
   * object, a `Buffer` as `Buffer(5 bytes)`), bounded, and keys that look like secrets were masked.
   * Where it throws, there is no metadata. @default as it is
   */
  redact?: (metadata: Record<string, unknown>) => Record<string, unknown>;
  /**
   * What messages and stacks of errors pass before they are logged, kept or sent, after they were cut and
   * what looks like a secret was masked (credentials and query parameters of URLs, tokens). Where it throws,
   * there is no message.
   * @default as they are
   */
  redactMessage?: (message: string) => string;
}

type Hooks = 'redact' | 'redactMessage';
export type ResolvedErrorTrackerOptions = Required<Omit<ErrorTrackerOptions, Hooks>> &
  Pick<ErrorTrackerOptions, Hooks>;

/** @throws ResilienceConfigurationError */
export const checkErrorTrackerOptions = checkerOf<ErrorTrackerOptions>({
  windowMs: duration,
  maxKeys: positiveCount,
  recentErrors: countOrZero,
  keepErrors: boolean,
  log: boolean,
  logIntervalMs: durationOrZero,
  includeStack: boolean,
  redact: predicate,
  redactMessage: predicate,
});

export function resolveErrorTrackerOptions(
  options: ErrorTrackerOptions,
): ResolvedErrorTrackerOptions {
  const includeStack = process.env.NODE_ENV === 'development';
  return {
    windowMs: 60_000,
    maxKeys: 1_000,
    recentErrors: 100,
    keepErrors: false,
    log: true,
    logIntervalMs: 60_000,
    includeStack,
    ...options,
  };
}
