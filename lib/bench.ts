/**
 * What `nestjs-bulwark/testing` takes in hand of the library's inside, beside what everybody can use: the one
 * sub-path that needs more than `index.ts`.
 */

export { BENCH, type Bench } from './binding/bench.js';
export type { ResilienceRuntime } from './binding/runtime.js';
export { Alarm } from './common/alarm.js';
export type { Class } from './common/class.js';
export { type ClockSource, MAX_TIMER_MS, now, useClock } from './common/clock.js';
export { nodeSetImmediate } from './common/next-turn.js';
export { matchesWildcard } from './common/wildcard.js';
export { runtimeOf } from './dispatch/runtime-slot.js';
export type { PipelineObserver } from './pipeline/stages.js';
