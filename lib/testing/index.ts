/**
 * Tests of code that uses the library: a virtual clock, states to set, calls to count, and an upstream that answers as told.
 *
 * @packageDocumentation
 */

export type { CallOutcome, CallRecord } from './call-records.js';
export {
  type CallsExpectation,
  type ExpectedCalls,
  expectCalls,
  type MethodOf,
} from './expect-calls.js';
export type { TestingMode } from './modes.js';
export type { BreakerInTest, BulkheadInTest, RateLimitInTest } from './policy-states.js';
export { ResilienceTesting } from './resilience-testing.js';
export {
  ResilienceTestingModule,
  type ResilienceTestingOptions,
} from './resilience-testing.module.js';
export { type ScriptedUpstream, scriptedUpstream } from './scripted-upstream.js';
export type { ReceivedRequest, UpstreamAnswer, UpstreamReply } from './upstream-answers.js';
export { type VirtualClock, virtualClock } from './virtual-clock.js';
