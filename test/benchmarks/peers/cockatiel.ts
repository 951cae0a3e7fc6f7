import { load } from '../packages.js';
import { definePeer, type Protect } from './peer.js';

interface Policy {
  execute<T>(work: () => Promise<T>): Promise<T>;
}

interface Cockatiel {
  handleAll: unknown;
  ConsecutiveBreaker: new (failures: number) => unknown;
  ExponentialBackoff: new () => unknown;
  TimeoutStrategy: { Aggressive: unknown };
  retry(on: unknown, options: { maxAttempts: number; backoff: unknown }): Policy;
  circuitBreaker(
    on: unknown,
    options: { halfOpenAfter: number; breaker: unknown },
  ): Policy & { isolate(): unknown };
  timeout(ms: number, strategy: unknown): Policy;
  bulkhead(limit: number, queue: number): Policy;
  fallback(on: unknown, value: unknown): Policy;
  wrap(...policies: Policy[]): Policy;
}

const lib = await load<Cockatiel>('cockatiel');

const retry = () =>
  lib.retry(lib.handleAll, { maxAttempts: 3, backoff: new lib.ExponentialBackoff() });
const circuitBreaker = () =>
  lib.circuitBreaker(lib.handleAll, {
    halfOpenAfter: 60_000,
    breaker: new lib.ConsecutiveBreaker(5),
  });
const timeout = () => lib.timeout(1_000, lib.TimeoutStrategy.Aggressive); // ends, as ours does
const bulkhead = () => lib.bulkhead(10, 100);
const fallback = () => lib.fallback(lib.handleAll, 0);

const protectBy =
  (make: () => Policy): Protect =>
  (work) => {
    const policy = make();
    return () => policy.execute(work);
  };

export const cockatiel = definePeer(import.meta.url, 'cockatiel', {
  fullStack: protectBy(() =>
    lib.wrap(fallback(), retry(), circuitBreaker(), timeout(), bulkhead()),
  ),
  retry: protectBy(retry),
  circuitBreaker: protectBy(circuitBreaker),
  timeout: protectBy(timeout),
  bulkhead: protectBy(bulkhead),
  fallback: protectBy(fallback),
  openBreaker: protectBy(() => {
    const breaker = circuitBreaker();
    breaker.isolate();
    return breaker;
  }),
});

export default cockatiel.cases;
