import { afterEach, jest } from '@jest/globals';
import type { Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  BulkheadRegistry,
  CircuitBreakerRegistry,
  ErrorTracker,
  InMemoryMetrics,
  type Pipeline,
  RateLimitRegistry,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  type ServiceOptions,
} from '../../lib/index.js';

/** An application with the module, and what a test asks it for. */
export class ResilienceApp {
  private constructor(readonly module: TestingModule) {}

  /** Boots with real timers, which Nest needs, and leaves the test with fake ones. */
  static async boot(
    options: ResilienceModuleOptions = {},
    providers: Provider[] = [],
  ): Promise<ResilienceApp> {
    jest.useRealTimers();
    const quiet = {
      errorTracker: { log: false },
      alerts: { sendCritical: () => undefined },
      shutdown: { graceMs: 0 }, // a test may well leave calls behind
    };
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ ...quiet, ...options })],
      providers,
    }).compile();
    await module.init();
    jest.useFakeTimers();
    return new ResilienceApp(module);
  }

  pipeline(options: ServiceOptions & { name?: string }): Pipeline {
    return this.module.get(ResilienceService).pipeline(options);
  }

  get breakers() {
    return this.module.get(CircuitBreakerRegistry);
  }

  get bulkheads() {
    return this.module.get(BulkheadRegistry);
  }

  get rateLimits() {
    return this.module.get(RateLimitRegistry);
  }

  get tracker() {
    return this.module.get(ErrorTracker);
  }

  get metrics() {
    return this.module.get(InMemoryMetrics);
  }

  get events() {
    return this.module.get(ResilienceEvents);
  }

  async close(): Promise<void> {
    jest.useRealTimers();
    await this.module.close();
  }
}

/** Boots applications, which are closed after each test. */
export function booting() {
  const open: ResilienceApp[] = [];
  afterEach(async () => {
    for (const app of open.splice(0)) await app.close();
  });
  return async (options: ResilienceModuleOptions = {}, providers: Provider[] = []) => {
    const app = await ResilienceApp.boot(options, providers);
    open.push(app);
    return app;
  };
}

/** A promise that the test settles. */
export class Deferred<T = unknown> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

export const never = () => new Promise<never>(() => undefined);

/** How a promise stands at the moment. */
export class Watched<T> {
  state: 'pending' | 'fulfilled' | 'rejected' = 'pending';
  value: T | undefined = undefined;
  error: unknown = undefined;

  constructor(promise: PromiseLike<T>) {
    promise.then(
      (value) => {
        this.state = 'fulfilled';
        this.value = value;
      },
      (error) => {
        this.state = 'rejected';
        this.error = error;
      },
    );
  }
}

/** Follows a promise without waiting for it; its rejection counts as handled. */
export function watch<T>(promise: PromiseLike<T>): Watched<T> {
  return new Watched(promise);
}

/** What a promise is rejected with. */
export async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('It was expected to fail');
}

/** Lets everything happen that is due now. */
export function flush(): Promise<void> {
  return jest.advanceTimersByTimeAsync(0);
}

export function elapse(ms: number): Promise<void> {
  return jest.advanceTimersByTimeAsync(ms);
}
