import { bulkheadStage } from './bulkhead/bulkhead.stage.js';
import { circuitBreakerStage } from './circuit-breaker/circuit-breaker.stage.js';
import { coalesceStage } from './coalesce/coalesce.stage.js';
import { criticalStage } from './criticality/critical.stage.js';
import { fallbackStage } from './fallback/fallback.stage.js';
import { hedgeStage } from './hedge/hedge.stage.js';
import { rateLimitStage } from './rate-limit/rate-limit.stage.js';
import { retryStage } from './retry/retry.stage.js';
import type { OverloadedError } from './shedding/overloaded.error.js';
import type { StageDefinition } from './stage/stage-definition.js';
import type { AnyOf } from './stage/stage-types.js';
import { timeoutStage } from './timeout/timeout.stage.js';
import { totalTimeoutStage } from './total-timeout/total-timeout.stage.js';

/** The stages of the library as they nest, outermost first; inside the last one is the method. */
const NESTED = [
  coalesceStage,
  criticalStage,
  fallbackStage,
  totalTimeoutStage,
  retryStage,
  hedgeStage,
  circuitBreakerStage,
  rateLimitStage,
  timeoutStage,
  bulkheadStage,
] as const;

export const STAGES: readonly StageDefinition[] = NESTED;

/** The types of all of them. */
export type OurTypes = NonNullable<(typeof NESTED)[number]['types']>;

/** What tells the library's own errors apart, on every transport. */
export type ResilienceErrorCode = AnyOf<OurTypes, 'error'>['code'] | OverloadedError['code'];
