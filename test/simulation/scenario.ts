import type { Setting } from './strategy.js';

/** What befalls the leaf during the storm. */
export type Fault =
  /** It neither answers nor begins anything, and goes on where it was when the storm is over. */
  | 'hang'
  /** Half of its answers are 503. */
  | 'brown-out'
  /** What is sent to it is lost without a word. */
  | 'unreachable'
  /** What is sent to it for one tenant is lost without a word. */
  | 'sick tenant'
  /** None: the storm is the load. */
  | 'none';

/** The processes of one tier, and how they should call the next. */
export interface Tier extends Setting {
  readonly processes: number;
}

/** A world, and what happens in it. Times are in ms from the start, rates in requests a second. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** From where requests arrive to where the leaf is called. */
  readonly tiers: readonly Tier[];
  readonly leaf: {
    readonly servers: number;
    /** Of its service times, which are Erlang-distributed. */
    readonly meanMs: number;
    readonly shape: number;
  };
  /** What the leaf allows all processes together, where it has a quota. */
  readonly quota?: {
    readonly perSecond: number;
    /** For so long it refuses everything once it was called more often. */
    readonly penaltyMs: number;
  };
  /** Whom the requests are for, where that matters: the first tenant is the sick one, and makes this share of them. */
  readonly tenants?: { readonly count: number; readonly sickShare: number };
  readonly fault: Fault;
  readonly storm: { readonly fromMs: number; readonly untilMs: number };
  /** Offered load, outside and inside the storm, as a share of the leaf's capacity. */
  readonly load: { readonly calm: number; readonly storm: number };
  /** Which share of the requests matters most; the others can be shed. */
  readonly criticalShare: number;
  /** When the arrivals end. */
  readonly untilMs: number;
}

/** Requests that the leaf can answer, or wants to, a second. */
export function capacity({ leaf, quota }: Scenario): number {
  return quota?.perSecond ?? (leaf.servers * 1_000) / leaf.meanMs;
}
