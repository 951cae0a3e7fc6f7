import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Pipeline, ResilienceModule, ResilienceService } from '../../../lib/index.js';
import {
  ATTEMPTS,
  type Caller,
  type Inbound,
  type Send,
  type Setting,
  type Strategy,
} from '../strategy.js';

/** This library, with everything on. */
export const bulwark: Strategy = strategy('bulwark', 'nestjs-bulwark', true);

/** This library without its breaker: what the retry budget does by itself. */
export const budgetAlone: Strategy = strategy('budget', 'retry budget, no breaker', false);

function strategy(id: string, title: string, breaker: boolean): Strategy {
  return { id, title, open: (setting) => open(setting, breaker) };
}

@Module({})
class Application {}

/** Each process is an application of Nest, so that all state is its own. */
async function open(setting: Setting, breaker: boolean): Promise<Caller> {
  const { timeoutMs, budgetMs, maxConcurrent, queueLimit, windowMs } = setting;
  const resilience = ResilienceModule.forRoot({
    breakers: {
      leaf: {
        failureRateThreshold: 80,
        minimumCalls: 10,
        windowMs,
        timeoutMs: 1_000,
        // --- maxTimeoutMs: 2_000, timeoutFactor, timeoutJitter, rampUpMs
      },
    },
    bulkheads: { leaf: { maxConcurrent, queueLimit } },
    // --- retryBudgets: { leaf: { minRetriesPerSecond: setting.minRetriesPerSecond } }
    errorTracker: { log: false },
    alerts: { sendCritical: () => undefined },
  });
  const application = await NestFactory.createApplicationContext(
    { module: Application, imports: [resilience] },
    { logger: false },
  );
  const service = application.get(ResilienceService);
  const pipeline = (name: string, critical: boolean) =>
    service.pipeline({
      name,
      critical,
      upstream: 'leaf',
      timeoutMs,
      retry: { maxAttempts: ATTEMPTS }, // --- budget: 'leaf'
      ...(breaker ? { circuitBreaker: 'leaf' } : {}),
      bulkhead: 'leaf',
    });
  const calls = { critical: pipeline('critical', true), sheddable: pipeline('sheddable', false) };
  const handler =
    budgetMs === undefined ? undefined : service.pipeline({ name: 'handler', timeoutMs: budgetMs });
  return {
    call: (request, send) => handle(request, send, calls, handler),
    close: () => application.close(),
  };
}

/** The handler of a request: its deadline and its caller bound the call that it makes. */
function handle(
  { critical, signal }: Inbound,
  send: Send,
  calls: { critical: Pipeline; sheddable: Pipeline },
  handler: Pipeline | undefined,
): Promise<unknown> {
  // --- inbound: deadline and criticality come from `headers` in the tiers further in
  const pipeline = critical === false ? calls.sheddable : calls.critical;
  const call = () =>
    pipeline.execute(
      (attempt) => send({ signal: attempt.signal }), // --- headers: outboundHeaders()
      handler === undefined ? { signal } : {},
    );
  return handler === undefined ? call() : handler.execute(call, { signal });
}
