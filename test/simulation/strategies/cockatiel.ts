import { ATTEMPTS, type Setting, type Strategy } from '../strategy.js';
import { loadPeer } from './peers.js';

/**
 * With the options of its README, in the order of the Polly wiki, which that recommends. (Rejections
 * by the bulkhead do not count for the breaker: with `handleAll`, load alone would open it.)
 */
export const cockatiel: Strategy = {
  id: 'cockatiel',
  title: 'cockatiel',
  async open({ timeoutMs, maxConcurrent, queueLimit }: Setting) {
    const library = await loadPeer<Cockatiel>('cockatiel');
    const { handleAll, handleWhen, isBulkheadRejectedError } = library;
    const { ExponentialBackoff, ConsecutiveBreaker, TimeoutStrategy } = library;
    const failures = handleWhen((error) => !isBulkheadRejectedError(error));
    const policy = library.wrap(
      library.retry(handleAll, { maxAttempts: ATTEMPTS - 1, backoff: new ExponentialBackoff() }),
      library.circuitBreaker(failures, {
        halfOpenAfter: 10_000,
        breaker: new ConsecutiveBreaker(5),
      }),
      library.bulkhead(maxConcurrent, queueLimit),
      library.timeout(timeoutMs, TimeoutStrategy.Aggressive),
    );
    return {
      call: (request, send) => policy.execute(({ signal }) => send({ signal }), request.signal),
    };
  },
};

interface Policy {
  execute<T>(
    call: (context: { signal: AbortSignal }) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
}

/** What is used of it: its types are installed no more than itself where this is compiled. */
interface Cockatiel {
  handleAll: unknown;
  handleWhen(predicate: (error: unknown) => boolean): unknown;
  isBulkheadRejectedError(error: unknown): boolean;
  wrap(...policies: Policy[]): Policy;
  /** Here `maxAttempts` counts the retries only. */
  retry(handled: unknown, options: { maxAttempts: number; backoff: object }): Policy;
  circuitBreaker(handled: unknown, options: { halfOpenAfter: number; breaker: object }): Policy;
  timeout(ms: number, strategy: unknown): Policy;
  bulkhead(limit: number, queue: number): Policy;
  ExponentialBackoff: new () => object;
  ConsecutiveBreaker: new (failures: number) => object;
  TimeoutStrategy: { Aggressive: unknown };
}
