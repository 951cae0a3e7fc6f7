import type { ResilienceModuleOptions } from '../../../lib/index.js';

/** What pods call: a breaker alone, rate limits and bulkheads with enough for all and with too little. */
export const LOADS = {
  /** Through the breaker. */
  pay: 25,
  /** Far below the rate limit. */
  quota: 10,
  /** Four times what the rate limit allows to four pods. */
  scarce: 40,
  /** Far below what the bulkhead has. */
  pool: 10,
  /** One and a half times as many as the bulkhead has for four pods. */
  tight: 15,
} as const;

export type Load = keyof typeof LOADS;

/** Where a pod finds Redis. */
export type Address =
  | { readonly port: number }
  | { readonly sentinels: readonly number[]; readonly master: string }
  | { readonly cluster: readonly number[] };

export type ClientName = 'ioredis' | 'ioredis5' | 'redis' | 'redis5';

/** How a pod is started. */
export interface PodSetup {
  readonly name: string;
  readonly upstreamPort: number;
  readonly client: ClientName;
  readonly address: Address;
  readonly namespace: string;
  /** In the place of those of the others. */
  readonly options?: Pick<ResilienceModuleOptions, 'breakers' | 'rateLimits' | 'bulkheads'>;
  /** So far the pod's wall clock is ahead. */
  readonly wallClockMs?: number;
}

/** What a pod is told to do. */
export type Order =
  | { readonly do: 'load'; readonly perSecond: Partial<Record<Load, number>> }
  /** Keeps the event loop from turning. */
  | { readonly do: 'stall'; readonly ms: number };

/** One call. Times are those of `sharedNow()`. */
export interface CallRecord {
  readonly load: Load;
  readonly startedAt: number;
  /** When it was let in; 0 where it was not. */
  readonly begunAt: number;
  readonly endedAt: number;
  /** Whether it was neither let in nor rejected in the turn of the event loop in which it was made. */
  readonly waited: boolean;
  /** `ok`, or the name of the error. */
  readonly outcome: string;
}

/** What a pod tells. */
export type Told =
  | { readonly type: 'ready'; readonly bootMs: number }
  /** With how often something from Redis was not believed so far. */
  | { readonly type: 'calls'; readonly calls: readonly CallRecord[]; readonly refused: number }
  | {
      readonly type: 'transition';
      readonly at: number;
      readonly to: string;
      readonly reason: string;
    }
  | { readonly type: 'fleet'; readonly at: number; readonly up: boolean; readonly reason?: string }
  /** An unhandled rejection, an uncaught exception, a warning of the process. */
  | { readonly type: 'unhandled'; readonly what: string };
