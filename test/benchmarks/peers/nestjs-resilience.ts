import { caught } from '../cases/baselines.js';
import type { Call } from '../lab/case.js';
import { load } from '../packages.js';
import { definePeer, type Protect } from './peer.js';

type Strategy = object;

interface NestjsResilience {
  RetryStrategy: new (options: { maxRetries: number }) => Strategy;
  CircuitBreakerStrategy: new (options?: object) => Strategy;
  TimeoutStrategy: new (ms: number) => Strategy;
  BulkheadStrategy: new (options: { maxConcurrent: number; maxQueue: number }) => Strategy;
  FallbackStrategy: new (answer: () => unknown) => Strategy;
  ResilienceCommand: new (
    strategies: Strategy[],
    group: string,
    name: string,
  ) => { run: Call; execute(): Promise<unknown> };
}

const { Logger } = await load<{ Logger: { overrideLogger(logger: false): void } }>(
  '@nestjs/common',
);
Logger.overrideLogger(false); // it writes a line for every call
const lib = await load<NestjsResilience>('nestjs-resilience');

const retry = () => new lib.RetryStrategy({ maxRetries: 2 }); // after the first
const circuitBreaker = () => new lib.CircuitBreakerStrategy();
const timeout = () => new lib.TimeoutStrategy(1_000);
const bulkhead = () => new lib.BulkheadStrategy({ maxConcurrent: 10, maxQueue: 100 });
const fallback = () => new lib.FallbackStrategy(() => 0);

let commands = 0; // a breaker's state goes by the command's name

/** @param strategies innermost first */
const protectBy =
  (...strategies: (() => Strategy)[]): Protect =>
  (work) => {
    class Command extends lib.ResilienceCommand {
      override run = work;
    }
    const made = strategies.map((make) => make());
    const command = new Command(made, 'benchmarks', `command-${++commands}`);
    return () => command.execute();
  };

export const nestjsResilience = definePeer(import.meta.url, 'nestjs-resilience', {
  fullStack: protectBy(bulkhead, timeout, circuitBreaker, retry, fallback),
  circuitBreaker: protectBy(circuitBreaker),
  bulkhead: protectBy(bulkhead),
  /** It cannot be forced open: its first failure does it. */
  openBreaker: async () => {
    const options = { requestVolumeThreshold: 1, sleepWindowInMilliseconds: 3_600_000 };
    const protect = protectBy(() => new lib.CircuitBreakerStrategy(options));
    const call = await protect(() => Promise.reject(new Error('It failed')));
    await caught(call)();
    return call;
  },
});

export default nestjsResilience.cases;
