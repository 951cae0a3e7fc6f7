/**
 * Retries, circuit breakers, timeouts, bulkheads, rate limits, hedges and fallbacks for the methods and handlers of NestJS
 * applications: decorators, the module that they need, and what tells of them.
 *
 * @packageDocumentation
 */

export type { Advice, AdviceKind, AdvisorReport, OperationAdvice } from './advisor/advice.js';
export { ResilienceAdvisor } from './advisor/resilience-advisor.js';
export { executeThrough } from './attempt/alone.js';
export {
  type AttemptStage,
  type Retention,
  type StageAttempt,
  WAIT,
} from './attempt/attempt-stage.js';
export type {
  ResilienceDefaults,
  ResilienceFeatureOptions,
  ResilienceModuleOptions,
  ResilienceOptionsFactory,
} from './binding/module.options.js';
export type { OperationDescription } from './binding/operation-description.js';
export { Bulkhead, getBulkheadToken, InjectBulkhead } from './bulkhead/bulkhead.decorator.js';
export { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead/bulkhead.error.js';
export type { BulkheadHealth } from './bulkhead/bulkhead.health.js';
export type { BulkheadOptions, ResolvedBulkheadOptions } from './bulkhead/bulkhead.options.js';
export { BulkheadPolicy, type BulkheadSnapshot } from './bulkhead/bulkhead.policy.js';
export { BulkheadRegistry } from './bulkhead/bulkhead.stage.js';
export type { ChaosRuleView } from './chaos/active-rule.js';
export { ChaosError } from './chaos/chaos.error.js';
export { Chaos } from './chaos/chaos.js';
export type { ChaosGuard, ChaosHeaderOptions, ChaosOptions } from './chaos/chaos.options.js';
export type { ChaosEffect } from './chaos/chaos.telemetry.js';
export type {
  ChaosEnd,
  ChaosFault,
  ChaosLatency,
  ChaosRule,
  ChaosTarget,
} from './chaos/chaos-rule.js';
export {
  CircuitBreaker,
  getCircuitBreakerToken,
  InjectCircuitBreaker,
} from './circuit-breaker/circuit-breaker.decorator.js';
export { CircuitBreakerOpenError } from './circuit-breaker/circuit-breaker.error.js';
export type { BreakerHealth } from './circuit-breaker/circuit-breaker.health.js';
export type {
  CircuitBreakerOptions,
  ResolvedCircuitBreakerOptions,
} from './circuit-breaker/circuit-breaker.options.js';
export { CircuitBreakerPolicy } from './circuit-breaker/circuit-breaker.policy.js';
export { CircuitBreakerRegistry } from './circuit-breaker/circuit-breaker.stage.js';
export {
  type CircuitBreakerSnapshot,
  CircuitState,
  type CircuitTransitionDetails,
  type CircuitTransitionReason,
} from './circuit-breaker/circuit-state.js';
export { Coalesce } from './coalesce/coalesce.decorator.js';
export type { CoalesceOptions } from './coalesce/coalesce.options.js';
export { ResilienceConfigurationError } from './common/configuration.error.js';
export type { KeyedPolicies, PolicyKey } from './common/keyed-policies.js';
export { LatencySketch } from './common/latency-sketch.js';
export type {
  BoundMetric,
  MetricDefinition,
  MetricKind,
  MetricSeries,
  MetricsRecorder,
  MetricTags,
} from './common/metrics.js';
export type { Mode } from './common/mode.js';
export { rules } from './common/option-rules.js';
export { checkOptions, type Rule, type Rules } from './common/options.js';
export type { Origin, Origins } from './common/origin.js';
export type { HealthLevel, InstanceView, StageInstances } from './common/stage-instances.js';
export { type CurrentAttempt, currentAttempt, currentSignal } from './context/ambient.js';
export { isChaos } from './context/chaos-marks.js';
export { detached } from './context/detached.js';
export type { AttemptContext } from './context/scope.js';
export { TimeoutError } from './context/timeout.error.js';
export type { AlertChannel, CriticalAlert, Recovery } from './criticality/alert-channel.js';
export { Critical } from './criticality/critical.decorator.js';
export type { KeyedDecorator, ResilienceDecorator } from './dispatch/decorator-types.js';
export type { InboundOptions } from './edge/inbound.options.js';
export { type MessageDeserializer, resilientDeserializer } from './edge/message-headers.js';
export { ResilienceInterceptor } from './edge/resilience.interceptor.js';
export { Signal } from './edge/signal.decorator.js';
export type { ErrorContext } from './errors/error-context.js';
export { describeError, type ErrorDescription } from './errors/error-record.js';
export { FailedResult, NO_RESULT } from './errors/failed-result.js';
export { ResilienceError } from './errors/resilience.error.js';
export { Fallback, type FallbackDecorator } from './fallback/fallback.decorator.js';
export type { FallbackOptions, LastGoodFallback } from './fallback/fallback.options.js';
export type { LastGoodOptions } from './fallback/last-good.options.js';
export type { ControlScope } from './fleet/control-scope.js';
export type { Fleet, FleetLink, FleetMember, FleetOptions } from './fleet/fleet.js';
export { fleetRules } from './fleet/fleet.options.js';
export type { FleetInstance, FleetView } from './fleet/fleet-view.js';
export type { FleetPolicy } from './fleet/instance-snapshot.js';
export {
  type KnownOrder,
  ORDER_LIMITS,
  type Order,
  type RegisterListener,
  type SharedRegister,
} from './fleet/shared-register.js';
export type { SharedSlots, SlotLease, SlotRequest } from './fleet/shared-slots.js';
export type { SharedSnapshots, ShownSnapshot } from './fleet/shared-snapshots.js';
export type {
  SharedTokens,
  TokenLease,
  TokenRate,
  TokenRequest,
} from './fleet/shared-tokens.js';
export type {
  Lease,
  LeaseRequest,
  ProbePermit,
  ProbeReport,
  SharedVerdicts,
  Verdict,
  Vote,
} from './fleet/shared-verdicts.js';
export { Hedge } from './hedge/hedge.decorator.js';
export type { HedgeOptions } from './hedge/hedge.options.js';
export type { ResilienceModuleAsyncOptions } from './module/module.async-options.js';
export { ResilienceModule } from './module/resilience.module.js';
export { type OverridesInPlace, ResilienceService } from './module/resilience.service.js';
export {
  type ErrorMetrics,
  ErrorTracker,
} from './observability/error-tracker.js';
export type { ErrorTrackerOptions } from './observability/error-tracker.options.js';
export { InMemoryMetrics } from './observability/in-memory-metrics.js';
export { LoggerAlertChannel } from './observability/logger-alert-channel.js';
export { METRICS } from './observability/metric-catalogue.js';
export { MetricsFanOut } from './observability/metrics-fan-out.js';
export { readableCopy } from './observability/readable-copy.js';
export { type ResilienceEvent, ResilienceEvents } from './observability/resilience-events.js';
export type { TrackedError } from './observability/tracked-error.js';
export { WebhookAlerts, type WebhookAlertsOptions } from './observability/webhook-alerts.js';
export { type HttpAnswer, HttpResponseError } from './outbound/http-response.error.js';
export { outboundCallOptions, outboundHeaders } from './outbound/outbound-headers.js';
export { type MessageClient, resilientClient } from './outbound/resilient-client.js';
export { resilientFetch } from './outbound/resilient-fetch.js';
export {
  resilientRequest,
  type UndiciAnswer,
  type UndiciRequest,
} from './outbound/resilient-request.js';
export type {
  Overridden,
  ResilienceOverrides,
  StageOverrides,
  Switch,
  TimeoutOverrides,
} from './overrides/overrides.js';
export type {
  ChangesEndedEvent,
  OptionChange,
  ReconfiguredEvent,
  ReconfigureRefusedEvent,
} from './overrides/overrides.telemetry.js';
export {
  type AnyStage,
  decoratorOf,
  defineStage,
  getStageToken,
  InjectStage,
  type Stage,
} from './own-stage/define-stage.js';
export type { StageInstance, StageReporter } from './own-stage/stage-specification.js';
export type { ExecuteOptions, Pipeline } from './pipeline/pipeline.js';
export type { OperationTracer, TracedOperation } from './pipeline/tracer.js';
export {
  getRateLimitToken,
  InjectRateLimit,
  RateLimit,
} from './rate-limit/rate-limit.decorator.js';
export { RateLimitedError, type RateLimitReason } from './rate-limit/rate-limit.error.js';
export type { RateLimitHealth } from './rate-limit/rate-limit.health.js';
export type {
  CallWeight,
  RateLimitOptions,
  ResolvedRateLimitOptions,
} from './rate-limit/rate-limit.options.js';
export { RateLimitPolicy, type RateLimitSnapshot } from './rate-limit/rate-limit.policy.js';
export { RateLimitRegistry } from './rate-limit/rate-limit.stage.js';
export type { BeforeRetry, UpcomingAttempt } from './retry/before-retry.js';
export { Retry, type RetryDecorator } from './retry/retry.decorator.js';
export type { RetryDelay, RetryOptions, RetryPredicate } from './retry/retry.options.js';
export type { RetryBudgetSnapshot } from './retry/retry-budget.js';
export type { RetryBudgetOptions } from './retry/retry-budget.options.js';
export type { ResilienceOptions } from './service/resilience.options.js';
export { Resilience, Upstream } from './service/service.decorators.js';
export type { ServiceOptions } from './service/service.options.js';
export { NeverShed } from './shedding/never-shed.decorator.js';
export {
  OverloadedError,
  type RequestCriticality,
  type SheddingReason,
} from './shedding/overloaded.error.js';
export type { SheddingSnapshot } from './shedding/shedding.js';
export type { SheddingOptions } from './shedding/shedding.options.js';
export type { ShutdownOptions } from './shutdown/shutdown.options.js';
export type {
  ByKeyOptions,
  Keyable,
  KeyedOptions,
  KeyedReference,
  KeyFunction,
} from './stage/keyed.options.js';
export type { ResilienceErrorCode } from './stages.js';
export { fileState } from './state/file-state.js';
export type { StateOptions, StateStore } from './state/state.options.js';
export { Timeout } from './timeout/timeout.decorator.js';
export type { TimeoutLayerName, TimeoutOptions } from './timeout/timeout.options.js';
export { type TimeoutHierarchy, validateTimeouts } from './timeout/timeout-hierarchy.js';
