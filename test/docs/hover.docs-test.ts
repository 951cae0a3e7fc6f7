import { ENTRIES, hoversIn, hoversOf } from './hovers.js';
import { readPage } from './pages.js';
import { programsOf, typeErrors } from './programs.js';

/** What examples use without showing where it comes from. */
const PRELUDE = `
import type { HttpService } from '@nestjs/axios';
import { Get, Inject, type INestApplication } from '@nestjs/common';
import { Metadata } from '@grpc/grpc-js';
import { type ClientProxy, Transport } from '@nestjs/microservices';
import type { HealthCheckService } from '@nestjs/terminus';
import axios from 'axios';
import { Redis } from 'ioredis';
import {
  Bulkhead, BulkheadPolicy, type BulkheadRegistry, type Chaos, CircuitBreaker, CircuitBreakerOpenError,
  CircuitBreakerPolicy, type CircuitBreakerRegistry, Coalesce, Critical, currentAttempt, currentSignal, decoratorOf,
  defineStage, detached, type ErrorTracker, executeThrough, Fallback, fileState, Hedge, InjectBulkhead,
  InjectCircuitBreaker, InjectRateLimit, InMemoryMetrics, NeverShed, outboundCallOptions, outboundHeaders, RateLimit,
  RateLimitPolicy, type RateLimitRegistry, Resilience, type ResilienceAdvisor, type ResilienceEvents, ResilienceModule,
  type ResilienceService, resilientClient, resilientDeserializer, resilientFetch, resilientRequest, Retry, Signal,
  rules, Timeout, TimeoutError, Upstream, validateTimeouts, WebhookAlerts,
} from 'nestjs-bulwark';
import { ResilienceAdminModule } from 'nestjs-bulwark/admin';
import { resilientAxios } from 'nestjs-bulwark/axios';
import { ResilienceDashboardModule } from 'nestjs-bulwark/dashboard';
import { OpenTelemetryMetrics, OpenTelemetryTracer, spanExemplar } from 'nestjs-bulwark/opentelemetry';
import { PrometheusMetrics } from 'nestjs-bulwark/prometheus';
import { RedisFleet } from 'nestjs-bulwark/redis';
import type { ResilienceHealthIndicator } from 'nestjs-bulwark/terminus';
import { expectCalls, ResilienceTestingModule, scriptedUpstream, virtualClock } from 'nestjs-bulwark/testing';
interface Order { id: string }
declare class AdminGuard { canActivate(): boolean }
declare const advisor: ResilienceAdvisor;
declare const app: INestApplication;
declare const breaker: CircuitBreakerPolicy;
declare const breakers: CircuitBreakerRegistry;
declare const bulkhead: BulkheadPolicy;
declare const bulkheads: BulkheadRegistry;
declare const chaos: Chaos;
declare const events: ResilienceEvents;
declare const health: HealthCheckService;
declare const indicator: ResilienceHealthIndicator;
declare const order: Order;
declare const payments: { charge(order: Order): Promise<void> };
declare const rateLimit: RateLimitPolicy;
declare const rateLimits: RateLimitRegistry;
declare const resilience: ResilienceService;
declare const service: { find(query: object, metadata: Metadata, options: object): unknown };
declare const tracker: ErrorTracker;
declare function got(url: string, options: { headers: Record<string, string>; signal: AbortSignal }): Promise<unknown>;
`;

const HOVERS = ENTRIES.flatMap(hoversOf);

/** What a docstring may consist of; any other tag is code that an editor took for one. */
const TAGS = ['default', 'deprecated', 'example', 'param', 'returns', 'throws', 'typeParam'];

describe('What an editor shows of a public name', () => {
  it.each(ENTRIES)(
    'says what it is, whatever %s exports, on each signature and member',
    (entry) => {
      const silent = hoversOf(entry).filter(({ text }) => text.trim() === '');
      expect(silent.map(({ name }) => name)).toEqual([]);
      expect(hoversOf(entry).length).toBeGreaterThan(0);
    },
  );

  it('stands by itself, beside none of the names that are declared before it', () => {
    const leaning =
      /\b(the following|like the (former|latter)|as above|said above)\b|^(The same|Also|In ms)\b/;
    expect(HOVERS.filter(({ text }) => leaning.test(text)).map(({ name }) => name)).toEqual([]);
  });

  it('stands beside the options of a decorator while they are written', () => {
    const program = `import { Retry } from 'nestjs-bulwark';
export class Payments {
  @Retry({ maxAttempts: 4 })
  async charge(): Promise<void> {}
}`;
    expect(hoversIn(program, 'Retry({', 'maxAttempts')).toEqual([
      expect.stringMatching(/^Repeats a call that failed/),
      expect.stringMatching(/^Calls in all/),
    ]);
  });

  it('has examples that compile as they are copied, with the decorators that they show', () => {
    const tags = HOVERS.flatMap(({ name, tags }) => tags.map((tag) => ({ of: name, ...tag })));
    expect(tags.filter(({ name }) => !TAGS.includes(name))).toEqual([]); // `@` was taken for a tag
    expect(tags.filter(({ text }) => text.includes('\uff20'))).toEqual([]); // a full-width one is no `@`
    const examples = tags.filter(({ name }) => name === 'example');
    expect(examples.length).toBeGreaterThan(60);
    const fences = examples.map(({ text }) => `\`\`\`ts\n${text}\n\`\`\`\n`);
    const pages = fences.map((fence, index) => readPage(`hovers/${examples[index]?.of}`, fence));
    expect(typeErrors(pages.flatMap((page) => programsOf(page, PRELUDE)))).toEqual([]);
  });
});
