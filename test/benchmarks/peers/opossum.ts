import type { Call } from '../lab/case.js';
import { load } from '../packages.js';
import { definePeer, type Protect } from './peer.js';

interface Options {
  timeout: number | false;
  capacity?: number;
  coalesce?: boolean;
  coalesceResetOn?: string[];
  cache?: boolean;
  cacheTTL?: number;
}

interface Breaker {
  fire(): Promise<unknown>;
  open(): void;
  fallback(answer: () => unknown): void;
}

const CircuitBreaker = await load<new (work: Call, options: Options) => Breaker>('opossum');

/** It is one breaker, with options for the rest. */
const protectBy =
  (options: Options, also?: (breaker: Breaker) => void): Protect =>
  (work) => {
    const breaker = new CircuitBreaker(work, options);
    also?.(breaker);
    return () => breaker.fire();
  };

const withFallback = (breaker: Breaker) => breaker.fallback(() => 0);

export const opossum = definePeer(import.meta.url, 'opossum', {
  partialStack: protectBy({ timeout: 1_000, capacity: 10 }, withFallback), // it has no retry
  circuitBreaker: protectBy({ timeout: false }),
  bulkhead: protectBy({ timeout: false, capacity: 10 }),
  coalesce: protectBy({ timeout: false, coalesce: true, coalesceResetOn: ['success'] }),
  lastGood: protectBy({ timeout: false, cache: true, cacheTTL: 60_000 }), // a cache
  openBreaker: protectBy({ timeout: false }, (breaker) => breaker.open()),
});

export default opossum.cases;
