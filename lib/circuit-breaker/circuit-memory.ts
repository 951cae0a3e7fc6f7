import { recordOf } from '../common/remembered.js';
import type { TimedCounts } from '../common/time-window.js';
import { CircuitState, isForced } from './circuit-state.js';

/** What a breaker has learnt, as JSON can hold it: ages and lengths in ms instead of times. */
export interface RememberedCircuit {
  readonly version: 1;
  /** While it is half-open `OPEN`, of which the time is over: probes begin anew. */
  readonly state: CircuitState;
  /** Who has forced it, where that was said. */
  readonly by?: string;
  readonly outage?: RememberedOutage;
  /** How long ago probes have closed it, while it ramps up. */
  readonly rampedForMs?: number;
  readonly outcomes?: RememberedOutcomes;
}

/** The open time of an outage. */
export interface RememberedOutage {
  /** Since the first opening. */
  readonly beganAgoMs: number;
  readonly openForMs: number;
  readonly lengthMs: number;
  readonly failedRecoveries: number;
}

/**
 * Of a window of calls a digit for each, the oldest first: 1 for failed, 2 for slow, 3 for both. Of one of time
 * what it counts together: how long ago, so many calls, of which so many failed, and so many were slow.
 */
export type RememberedOutcomes =
  | string
  | readonly (readonly [agoMs: number, calls: number, failures: number, slow: number])[];

/** As many calls are remembered at most. */
export const MAX_CALLS = 10_000;
const MAX_COUNTS = 100;
const MAX_NAME = 200;
const MAX_COUNT = 1_000_000_000;
/** Three years: of what is older, times would not be dates. */
const MAX_AGE_MS = 100_000_000_000;

/** What is of use of something that was remembered so long ago; nothing of what is not of this version. */
export function circuitIn(remembered: unknown, agoMs: number): RememberedCircuit | undefined {
  const { version, state, by, outage, rampedForMs, outcomes } = recordOf(remembered);
  if (version !== 1 || !isAge(agoMs) || !isState(state)) return undefined;
  const known = outageIn(outage, agoMs);
  if (isForced(state)) return { version, state, ...byIn(by), ...(known && { outage: known }) };
  if (state === CircuitState.OPEN)
    return known && { version, state, outage: known, ...outcomesIn(outcomes, agoMs) };
  return {
    version,
    state: CircuitState.CLOSED,
    ...(known && isAge(rampedForMs) && { outage: known, rampedForMs: rampedForMs + agoMs }),
    ...outcomesIn(outcomes, agoMs),
  };
}

/** What is within a window of time, the oldest first. */
export function countsFrom(
  outcomes: Exclude<RememberedOutcomes, string>,
  at: number,
  windowMs: number,
): TimedCounts[] {
  return outcomes
    .filter(([agoMs]) => agoMs < windowMs)
    .map(([agoMs, calls, failures, slow]) => ({ at: at - agoMs, calls, failures, slow }));
}

function byIn(by: unknown): { by?: string } {
  return typeof by === 'string' ? { by: by.slice(0, MAX_NAME) } : {};
}

function outageIn(outage: unknown, agoMs: number): RememberedOutage | undefined {
  const { beganAgoMs, openForMs, lengthMs, failedRecoveries } = recordOf(outage);
  if (!isAge(beganAgoMs) || !isAge(openForMs) || !isAge(lengthMs)) return undefined;
  if (!isCount(failedRecoveries)) return undefined;
  const age = { beganAgoMs: beganAgoMs + agoMs, openForMs: openForMs + agoMs };
  return { ...age, lengthMs, failedRecoveries };
}

function outcomesIn(outcomes: unknown, agoMs: number): { outcomes?: RememberedOutcomes } {
  if (typeof outcomes === 'string')
    return outcomes.length <= MAX_CALLS && /^[0-3]+$/.test(outcomes) ? { outcomes } : {};
  if (!Array.isArray(outcomes) || outcomes.length > MAX_COUNTS) return {};
  if (!outcomes.every(isCounted)) return {};
  const aged = outcomes.map(([ago, ...counts]) => [ago + agoMs, ...counts] as const);
  return { outcomes: aged.sort(([one], [other]) => other - one) };
}

function isCounted(entry: unknown): entry is [number, number, number, number] {
  if (!Array.isArray(entry) || entry.length !== 4) return false;
  const [ago, calls, failures, slow] = entry;
  if (!isAge(ago) || !isCount(calls) || !isCount(failures) || !isCount(slow)) return false;
  return failures <= calls && slow <= calls;
}

function isState(value: unknown): value is CircuitState {
  return typeof value === 'string' && Object.hasOwn(CircuitState, value);
}

function isAge(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_AGE_MS;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT;
}
