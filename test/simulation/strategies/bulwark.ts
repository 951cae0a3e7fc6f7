import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  outboundHeaders,
  type Pipeline,
  ResilienceInterceptor,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
} from '../../../lib/index.js';
import {
  ATTEMPTS,
  type Caller,
  type Inbound,
  type Send,
  type Setting,
  type Strategy,
} from '../strategy.js';
import { exchange } from './exchange.js';

/** This library, with everything on. */
export const bulwark = strategy('bulwark', 'nestjs-bulwark', true);

/** The same where all tenants share what it has. */
export const keyless: Strategy = {
  id: 'keyless',
  title: 'nestjs-bulwark without keys',
  only: 'tenants',
  open: (setting) => Application.start({ ...setting, hasTenants: false }, true),
};

/** This library without its breaker and its rate limit: what the retry budget does by itself. */
export const budgetAlone = strategy('budget', 'retry budget, no breaker', false);

function strategy(id: string, title: string, breaker: boolean): Strategy {
  return { id, title, open: (setting) => Application.start(setting, breaker) };
}

@Module({})
class ServiceModule {}

/** Each process is an application of Nest: all state is its own. */
class Application implements Caller {
  private readonly interceptor: ResilienceInterceptor;
  private readonly handler: Pipeline;
  private readonly critical: Pipeline;
  private readonly sheddable: Pipeline;
  private readonly forwarding: Pipeline;

  private constructor(
    private readonly context: Awaited<ReturnType<typeof NestFactory.createApplicationContext>>,
    setting: Setting,
    breaker: boolean,
  ) {
    this.interceptor = context.get(ResilienceInterceptor);
    const resilience = context.get(ResilienceService);
    const call = {
      upstream: 'leaf',
      retry: { maxAttempts: ATTEMPTS },
      ...(breaker ? { circuitBreaker: 'leaf' } : {}),
      timeoutMs: setting.timeoutMs,
      bulkhead: 'leaf',
      ...(breaker && setting.callsPerSecond !== undefined ? { rateLimit: 'leaf' } : {}),
    };
    const { budgetMs } = setting;
    this.handler = resilience.pipeline(budgetMs === undefined ? {} : { timeoutMs: budgetMs });
    this.critical = resilience.pipeline({ ...call, name: 'critical', critical: true });
    this.sheddable = resilience.pipeline({ ...call, name: 'sheddable', critical: false });
    this.forwarding = resilience.pipeline({ ...call, name: 'forwarding' });
  }

  static async start(setting: Setting, breaker: boolean): Promise<Application> {
    const { maxConcurrent, queueLimit, windowMs, minRetriesPerSecond, callsPerSecond } = setting;
    const byTenant = setting.hasTenants ? { key: (tenant: number) => tenant } : {};
    const rateLimits: ResilienceModuleOptions['rateLimits'] = {};
    if (callsPerSecond !== undefined)
      rateLimits.leaf = {
        limit: callsPerSecond,
        burst: 1,
        maxWaitMs: 1_000,
        adaptToResponses: true,
      };
    const resilience = ResilienceModule.forRoot({
      breakers: {
        leaf: {
          ...byTenant,
          failureRateThreshold: 80, // half of the answers are better than none
          minimumCalls: 5,
          windowMs,
          timeoutMs: 1_000,
          timeoutFactor: 2,
          maxTimeoutMs: 2_000,
          timeoutJitter: 0.1,
          halfOpenMaxCalls: 1,
        },
      },
      bulkheads: { leaf: { maxConcurrent, queueLimit, ...byTenant } },
      rateLimits,
      retryBudgets: { leaf: { minRetriesPerSecond, ...byTenant } },
      inbound: { trustDeadline: true, trustCriticality: true },
      errorTracker: { log: false },
      alerts: { sendCritical: () => undefined },
    });
    const module = { module: ServiceModule, imports: [resilience] };
    const context = await NestFactory.createApplicationContext(module, { logger: false });
    return new Application(context, setting, breaker);
  }

  call(request: Inbound, send: Send): Promise<unknown> {
    return exchange(this.interceptor, ServiceModule, request, () =>
      this.handler.execute(() =>
        this.callFor(request).execute(
          ({ signal }) => send({ signal, headers: outboundHeaders() }),
          { args: [request.tenant] },
        ),
      ),
    );
  }

  close(): Promise<void> {
    return this.context.close();
  }

  /** Further in, what matters is what the headers say. */
  private callFor({ critical }: Inbound): Pipeline {
    if (critical === undefined) return this.forwarding;
    return critical ? this.critical : this.sheddable;
  }
}
