import { capacity, type Scenario } from './scenario.js';

/** How a request ended for who made it. Each ends once. */
export type End = 'answered' | 'failed' | 'gone';

/** Over one second. */
export interface Second {
  /** Requests that arrived. */
  offered: number;
  /** How those of them ended that arrived in this second. */
  answered: number;
  failed: number;
  gone: number;
  /** Answers that were given in this second, whenever they were asked for. */
  goodput: number;
  /** Calls that the leaf got. */
  leafCalls: number;
  criticalOffered: number;
  criticalAnswered: number;
  /** Of requests for tenants that are not sick. */
  wellOffered: number;
  wellAnswered: number;
}

/** A request, as the books know it. */
export interface BookedRequest {
  readonly arrivedMs: number;
  readonly critical: boolean;
  /** It is for a tenant, and for none that is sick. */
  readonly isWell: boolean;
}

/** What became of every request, second by second. */
export class Books {
  readonly seconds: Second[];
  /** When the arrivals have ended. */
  private readonly later = newSecond();

  constructor(untilMs: number) {
    this.seconds = Array.from({ length: Math.ceil(untilMs / 1_000) }, newSecond);
  }

  offer({ arrivedMs, critical, isWell }: BookedRequest): void {
    const second = this.second(arrivedMs);
    second.offered++;
    if (critical) second.criticalOffered++;
    if (isWell) second.wellOffered++;
  }

  end({ arrivedMs, critical, isWell }: BookedRequest, atMs: number, end: End): void {
    const second = this.second(arrivedMs);
    second[end]++;
    if (end !== 'answered') return;
    if (critical) second.criticalAnswered++;
    if (isWell) second.wellAnswered++;
    this.second(atMs).goodput++;
  }

  leafCall(atMs: number): void {
    this.second(atMs).leafCalls++;
  }

  private second(atMs: number): Second {
    return this.seconds[Math.floor(atMs / 1_000)] ?? this.later;
  }
}

function newSecond(): Second {
  return {
    offered: 0,
    answered: 0,
    failed: 0,
    gone: 0,
    goodput: 0,
    leafCalls: 0,
    criticalOffered: 0,
    criticalAnswered: 0,
    wellOffered: 0,
    wellAnswered: 0,
  };
}

/** What one run comes to. Shares are from 0 to 1, and `undefined` where there is nothing to share. */
export interface Measures {
  readonly requests: Readonly<Record<'offered' | End, number>>;
  /** Calls at the leaf for each request offered: the most in any ten seconds. */
  readonly amplification: number;
  /** Of the requests that arrived in the storm. */
  readonly servedInStorm: number;
  /** Answers given in the storm, as a share of what the leaf can do. */
  readonly goodputInStorm: number;
  readonly criticalInStorm: number | undefined;
  /** Of those for tenants that are not sick. */
  readonly wellInStorm: number | undefined;
  /** From the end of the storm until nothing is below 95 % any more. */
  readonly backAfterMs: number | undefined;
  /** Of the leaf's work, what it began after the caller had given up. */
  readonly begunUnwanted: number;
  readonly endedUnwanted: number;
  /** Of the calls that the leaf got, those that it refused by its quota. */
  readonly overQuota: number | undefined;
}

export interface LeafWork {
  readonly all: number;
  readonly unwanted: number;
}

const WINDOW_SECONDS = 10;
const BACK = 0.95;

export function measure(
  scenario: Scenario,
  seconds: readonly Second[],
  leaf: { begun: LeafWork; ended: LeafWork },
  calls: { readonly all: number; readonly refused: number },
): Measures {
  const { fromMs, untilMs } = scenario.storm;
  const storm = seconds.slice(fromMs / 1_000, untilMs / 1_000);
  const offered = sum(storm, 'offered');
  const critical = sum(storm, 'criticalOffered');
  const well = sum(storm, 'wellOffered');
  return {
    requests: {
      offered: sum(seconds, 'offered'),
      answered: sum(seconds, 'answered'),
      failed: sum(seconds, 'failed'),
      gone: sum(seconds, 'gone'),
    },
    amplification: Math.max(...windows(seconds).map(ratio)),
    servedInStorm: sum(storm, 'answered') / offered,
    goodputInStorm: sum(storm, 'goodput') / (storm.length * capacity(scenario)),
    criticalInStorm: critical === 0 ? undefined : sum(storm, 'criticalAnswered') / critical,
    wellInStorm: well === 0 ? undefined : sum(storm, 'wellAnswered') / well,
    backAfterMs: backAfterMs(seconds, untilMs),
    begunUnwanted: leaf.begun.unwanted / leaf.begun.all,
    endedUnwanted: leaf.ended.unwanted / leaf.ended.all,
    overQuota: scenario.quota === undefined ? undefined : calls.refused / calls.all,
  };
}

/** Every ten seconds. */
export function windows(seconds: readonly Second[]): Second[][] {
  const all: Second[][] = [];
  for (let from = 0; from + WINDOW_SECONDS <= seconds.length; from++) {
    all.push(seconds.slice(from, from + WINDOW_SECONDS));
  }
  return all;
}

export function sum(seconds: readonly Second[], field: keyof Second): number {
  return seconds.reduce((total, second) => total + second[field], 0);
}

function ratio(seconds: readonly Second[]): number {
  return sum(seconds, 'leafCalls') / sum(seconds, 'offered');
}

function backAfterMs(seconds: readonly Second[], stormEndsMs: number): number | undefined {
  let back = seconds.length;
  while (back > 0) {
    const { answered, offered } = seconds[back - 1] as Second;
    if (answered < BACK * offered) break;
    back--;
  }
  return back === seconds.length ? undefined : Math.max(0, back * 1_000 - stormEndsMs);
}
