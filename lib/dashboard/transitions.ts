import { CircuitState, type ResilienceEvent } from '../index.js';
import { failureOf, type ToldError } from './failure.js';
import type { Failure, Opening, Transition } from './frame.js';

export type StateChange = Extract<ResilienceEvent, { type: 'circuit-state' }>;

/** So many are kept: outages that go on before those that are over. */
const MAX_KEPT = 50;

/** A breaker that opens again so soon after it has closed has not recovered: it flaps. */
const FLAPPING_MS = 60_000;

/**
 * What breakers did. An outage is one entry, from its first opening until the breaker stays closed, in
 * which openings, probes and rejected calls are counted: so what began it, and what it came to, is there
 * however long it flaps.
 */
export class Transitions {
  /** The one that changed last comes last. */
  private readonly entries = new Set<Transition>();
  /** The latest outage of each breaker. */
  private readonly outages = new Map<string, Transition>();

  /** @param describe never throws, whatever was thrown */
  constructor(private readonly describe: (error: unknown) => ToldError) {}

  add(change: StateChange): void {
    const outage = this.outages.get(change.breaker);
    if (outage !== undefined && continues(outage, change)) this.goOn(outage, change);
    else this.begin(change);
  }

  /** A breaker has rejected a call. */
  rejected(breaker: string): void {
    const outage = this.outages.get(breaker);
    if (outage !== undefined && goesOn(outage)) outage.rejected = (outage.rejected ?? 0) + 1;
  }

  /** What opened a breaker that has not closed since. */
  openingOf(breaker: string): Transition | undefined {
    const outage = this.outages.get(breaker);
    return outage !== undefined && goesOn(outage) ? outage : undefined;
  }

  /** Outages that go on, then the rest, each newest first. */
  newestFirst(): Transition[] {
    const all = [...this.entries].reverse();
    return [...all.filter(goesOn), ...all.filter((entry) => !goesOn(entry))];
  }

  private opening(change: StateChange): Opening {
    const { reason, calls, failures, failureRate } = change;
    const opening: Opening = { reason, calls, failures, failureRate };
    if ('error' in change) opening.error = this.failure(change.error);
    return opening;
  }

  private failure(error: unknown): Failure {
    return failureOf(this.describe(error));
  }

  private begin(change: StateChange): void {
    const { timestamp: at, breaker, from, to, reason, by } = change;
    const entry: Transition = { breaker, since: at, at, from, to, reason };
    if (by !== undefined) entry.by = by;
    this.entries.add(entry);
    if (to === CircuitState.OPEN) {
      entry.opening = this.opening(change);
      Object.assign(entry, { reopened: 0, probes: 0, failedProbes: 0, rejected: 0 });
      this.outages.set(breaker, entry);
    }
    if (this.entries.size > MAX_KEPT) this.forget(this.newestFirst().at(-1) as Transition);
  }

  private goOn(outage: Transition, change: StateChange): void {
    const { timestamp: at, from, to, reason, by, calls, failures } = change;
    Object.assign(outage, { at, to, reason });
    if (by === undefined) delete outage.by;
    else outage.by = by;
    if (from === CircuitState.HALF_OPEN) {
      outage.probes = (outage.probes ?? 0) + calls;
      outage.failedProbes = (outage.failedProbes ?? 0) + failures;
    }
    if (to === CircuitState.OPEN) {
      outage.reopened = (outage.reopened ?? 0) + 1;
      if ('error' in change) outage.latest = this.failure(change.error);
    }
    this.entries.delete(outage); // to the end: the Set keeps the order
    this.entries.add(outage);
  }

  private forget(entry: Transition): void {
    this.entries.delete(entry);
    if (this.outages.get(entry.breaker) === entry) this.outages.delete(entry.breaker);
  }
}

/** Until it closes, or somebody forces it open or disables it. */
function goesOn({ opening, to }: Transition): boolean {
  return opening !== undefined && (to === CircuitState.OPEN || to === CircuitState.HALF_OPEN);
}

function continues(outage: Transition, { to, timestamp }: StateChange): boolean {
  if (goesOn(outage)) return true;
  const closedForMs = Date.parse(timestamp) - Date.parse(outage.at);
  return outage.to === CircuitState.CLOSED && to === CircuitState.OPEN && closedForMs < FLAPPING_MS;
}
