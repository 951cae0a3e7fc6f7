import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerRegistry,
  ErrorTracker,
  Fallback,
  InMemoryMetrics,
  Resilience,
  ResilienceConfigurationError,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import { ResilienceHealthIndicator } from '../../lib/terminus/index.js';
import { boot, closeAll } from './support.js';

afterEach(closeAll);

/** What every object has, though nobody gave it. */
const INHERITED = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__'];

/** Of an object literal, `__proto__` would be no key. */
const named = <T>(name: string, value: T): Record<string, T> =>
  Object.fromEntries([[name, value]]) as Record<string, T>;

function decorated(decorator: unknown, options: ResilienceModuleOptions = {}) {
  @Injectable()
  class Service {
    @(decorator as MethodDecorator)
    async run(): Promise<string> {
      throw new Error('down');
    }
  }
  return boot({ providers: [Service] }, options);
}

describe.each(INHERITED)('The name %s, which every object has', (name) => {
  it('is no layer of a hierarchy, and no hierarchy', async () => {
    const timeouts = { a: { client: 1, gateway: 2, service: 3 } };
    for (const layer of [`a.${name}`, `${name}.client`, name]) {
      const booting = decorated(Timeout(layer as never), { timeouts });
      await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
      await expect(booting).rejects.toThrow(
        `Service.run @Timeout(): there is no timeout "${layer}"; known: a.client, a.gateway, a.service`,
      );
    }
  });

  it('is no breaker, bulkhead, bundle, retry or budget that nobody registered', async () => {
    for (const decorator of [
      CircuitBreaker(name),
      Bulkhead(name),
      Resilience(name),
      Retry(name),
      Retry({ budget: name }),
    ]) {
      await expect(decorated(decorator)).rejects.toThrow(`"${name}"; none is registered`);
    }
    const { app } = await boot({});
    expect(app.get(CircuitBreakerRegistry).has(name)).toBe(false);
    await expect(app.get(ResilienceService).execute(name, async () => 1)).rejects.toThrow(
      'none is registered',
    );
  });

  it('is no option, and no method that a fallback could be', async () => {
    const options = { breakers: { db: named(name, 1) } } as ResilienceModuleOptions;
    await expect(boot({}, options)).rejects.toThrow(`breakers.db.${name}: there is no such option`);
    await expect(decorated(Fallback(name))).rejects.toThrow(`Service has no method "${name}"`);
  });

  it('is a name like any other where it is registered, wherever it is told', async () => {
    const prometheus = new PrometheusMetrics();
    const memory = new InMemoryMetrics();
    @Injectable()
    class Service {
      @CircuitBreaker(name)
      @Bulkhead(name)
      @Retry(name)
      @Timeout(`${name}.client`)
      @Resilience({ name })
      async run(): Promise<string> {
        throw Object.defineProperty(new Error('down'), 'name', { value: name });
      }
    }
    const { app } = await boot(
      { providers: [Service, ResilienceHealthIndicator, HealthIndicatorService] },
      {
        breakers: named(name, { failureThreshold: 1 }),
        bulkheads: named(name, {}),
        retries: named(name, { maxAttempts: 1 }),
        timeouts: named(name, { client: 1_000, gateway: 2_000, service: 3_000 }),
        metrics: [memory, prometheus],
        errorTracker: { log: false },
      },
    );
    await expect(app.get(Service).run()).rejects.toThrow('down');
    expect(app.get(CircuitBreakerRegistry).get(name).getState()).toBe('OPEN');
    expect(app.get(ResilienceService).describe()).toMatchObject([
      { operation: name, stages: { circuitBreaker: { name }, timeout: { timeoutMs: 1_000 } } },
    ]);
    const { byType, byOperation } = app.get(ErrorTracker).getMetrics();
    expect([byType.get(name), byOperation.get(name)]).toEqual([1, 1]);
    expect(memory.get('circuit.open', { breaker: name })).toBe(1);
    expect(memory.get('errors.total', { error_type: name, operation: name })).toBe(1);
    expect(await prometheus.registry.metrics()).toContain(
      `resilience_circuit_state{breaker="${name}"} 2`,
    );
    const health = await app.get(ResilienceHealthIndicator).isHealthy('resilience');
    expect(JSON.stringify(health)).toContain(`"breakers":{"${name}":{"status":"degraded"`);
  });
});
