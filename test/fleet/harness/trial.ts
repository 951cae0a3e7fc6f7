import type { Crowd, Reason } from './crowd.js';
import type { CallRecord } from './messages.js';
import type { Pod } from './pod.js';
import { POLICIES } from './policies.js';
import { sharedNow } from './shared-time.js';

/** Longer than any call takes that does not wait for a Redis which is not there. */
const HUNG_MS = 2_000;

/** In a pod whose event loop stands still for a time, a call that is as long has only seen that. */
const STALLED_MS = 1_000;

/** What a policy with too little for all rejects. */
const LIMITED: Partial<Record<CallRecord['load'], string>> = {
  scarce: 'RateLimitedError',
  tight: 'BulkheadRejectedError',
};
const { scarce } = POLICIES.rateLimits;
/** With another burst where they do not hear of each other, and one of what they take and let in ahead. */
const IN_A_SECOND = scarce.limit + 3 * scarce.burst;
/** One that is cut off goes by its even share, while others may take all. */
const OF_CUT_OFF = scarce.limit / 4;
const AT_A_TIME = POLICIES.bulkheads.tight.maxConcurrent;

/** What becomes of calls while there is a reason for it. */
const BROKEN = ['CircuitBreakerOpenError', 'UpstreamError'];

/** What a fault did to the calls of a crowd. */
export interface Findings {
  readonly fault: string;
  readonly calls: number;
  /** Each call that failed without a reason, or waited, by what became of it. */
  readonly harmed: readonly string[];
  readonly unhandled: readonly string[];
  /** Of calls through the breaker that were let in at once, in ms: a probe may wait. */
  readonly quietP99: number;
  readonly faultP99: number;
  /** From the end of the fault until the last pod was up again, in ms; none where none was down. */
  readonly upAgainMs: number | undefined;
  /** Breakers that opened without a reason. */
  readonly falseOpenings: readonly string[];
  /** So many calls of the rate limit in its worst second were more than its docs allow. */
  readonly excessCalls: number;
  /** So many calls of the bulkhead ran at a time that were more than it has slots. */
  readonly excessSlots: number;
}

/** One fault, as it strikes a crowd. */
export class Trial {
  private readonly quietFrom: number;
  private readonly stalled = new Set<Pod>();
  private faultFrom = Number.NaN;
  private faultTo = Number.NaN;
  private shares = 1;
  private cutOff = 0;
  private backAt: number | undefined;
  private readonly unhandledBefore: number;

  constructor(
    readonly fault: string,
    private readonly crowd: Crowd,
    quietMs: number,
  ) {
    this.quietFrom = sharedNow() - quietMs;
    crowd.upstream.takePeak('tight');
    this.unhandledBefore = this.unhandled.length;
  }

  /** Its calls take as long as its event loop stands still. */
  stalls(pod: Pod): void {
    this.stalled.add(pod);
  }

  /** The pods have never heard of each other: each takes what is for all. */
  knowsOfNobody(): void {
    this.shares = this.crowd.pods.length;
  }

  /** Not all reach the fleet at each moment. */
  cutsOff(pods: number): void {
    this.cutOff = pods;
  }

  begins(): void {
    this.faultFrom = sharedNow();
  }

  ends(): void {
    this.faultTo = sharedNow();
  }

  /** What is left of the crowd does all that it can again. */
  isBack(): void {
    this.backAt = sharedNow();
  }

  findings(): Findings {
    const { crowd, quietFrom, faultFrom, faultTo } = this;
    const records = crowd.pods.flatMap((pod) =>
      pod.calls.filter(({ endedAt }) => endedAt >= quietFrom).map((call) => ({ pod, call })),
    );
    const calls = records.map(({ call }) => call);
    const latencies = (from: number, to: number) =>
      calls
        .filter(({ load, outcome, waited }) => load === 'pay' && outcome === 'ok' && !waited)
        .filter(({ startedAt, endedAt }) => endedAt >= from && startedAt < to)
        .map(({ startedAt, endedAt }) => endedAt - startedAt);
    return {
      fault: this.fault,
      calls: calls.length,
      harmed: records.flatMap(({ pod, call }) => this.harm(pod, call) ?? []),
      unhandled: this.unhandled.slice(this.unhandledBefore),
      quietP99: p99(latencies(quietFrom, faultFrom)),
      faultP99: p99(latencies(faultFrom, faultTo)),
      upAgainMs: this.upAgainMs(),
      falseOpenings: this.falseOpenings(),
      excessCalls: above(
        this.shares * IN_A_SECOND + this.cutOff * OF_CUT_OFF,
        mostInASecond(calls.flatMap((call) => (call.load === 'scarce' ? call.begunAt || [] : []))),
      ),
      excessSlots: above(this.shares * AT_A_TIME, crowd.upstream.takePeak('tight')),
    };
  }

  private get unhandled(): string[] {
    return this.crowd.pods.flatMap(({ name, unhandled }) =>
      unhandled.map((what) => `${name}: ${what}`),
    );
  }

  private hasReason(pod: Pod, at: number): boolean {
    const isOne = ({ pods, from, to }: Reason) => pods.has(pod) && from <= at && at <= to;
    return this.crowd.reasons.some(isOne);
  }

  private harm(pod: Pod, call: CallRecord): string | undefined {
    const { load, outcome, waited, startedAt, endedAt } = call;
    if (this.stalled.has(pod) && endedAt - startedAt > STALLED_MS) return undefined;
    const mayBreak = load === 'pay' && this.hasReason(pod, endedAt);
    const tookMs = endedAt - startedAt;
    const what = `${pod.name} ${load} ${outcome}`;
    if (tookMs > HUNG_MS) return `${what} after ${tookMs.toFixed()} ms`;
    if (waited && !mayBreak) return `${what} waited`;
    if (outcome === 'ok' || outcome === LIMITED[load]) return undefined;
    return mayBreak && BROKEN.includes(outcome) ? undefined : what;
  }

  private upAgainMs(): number | undefined {
    if (this.backAt !== undefined) return this.backAt - this.faultTo;
    const returns = this.crowd.pods.flatMap(({ fleetChanges }) =>
      fleetChanges.filter(({ up, at }) => up && at >= this.faultTo),
    );
    return returns.length === 0
      ? undefined
      : Math.max(...returns.map(({ at }) => at)) - this.faultTo;
  }

  private falseOpenings(): string[] {
    return this.crowd.pods.flatMap((pod) =>
      pod.transitions
        .filter(({ at, to }) => to === 'OPEN' && at >= this.quietFrom && !this.hasReason(pod, at))
        .map(({ reason }) => `${pod.name} ${reason}`),
    );
  }
}

function above(allowed: number, measured: number): number {
  return Math.max(0, measured - allowed);
}

function p99(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;
}

function mostInASecond(instants: number[]): number {
  instants.sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [last, at] of instants.entries()) {
    while ((instants[first] as number) <= at - 1_000) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
