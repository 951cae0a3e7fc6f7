import type { SharedRegister } from './shared-register.js';
import type { SharedSlots } from './shared-slots.js';
import type { SharedSnapshots } from './shared-snapshots.js';
import type { SharedTokens } from './shared-tokens.js';
import type { SharedVerdicts } from './shared-verdicts.js';

/**
 * What all instances of a fleet agree on: how many open a breaker for all, and how long they wait for each
 * other.
 */
export interface FleetOptions {
  /** The release of your application, which is shown beside its instances; at most 100 characters. @default none */
  version?: string;
  /**
   * How many instances have to open a circuit breaker by themselves until all do, unless the breaker says
   * otherwise. @default 2
   */
  quorum?: number;
  /** How long a call may wait to hear whether it may be the probe of a half-open breaker, in ms. @default 100 */
  probeWaitMs?: number;
  /** How long an application that starts waits for what the others know, at most, in ms. @default 500 */
  warmStartMs?: number;
  /** How long an instance keeps slots of a bulkhead that it is not heard of any more, in ms. @default 3000 */
  bulkheadLeaseMs?: number;
  /** For how long an instance takes calls of a rate limit ahead, in ms. @default 100 */
  rateLimitLeaseMs?: number;
}

/**
 * Where the instances of a service learn of each other: `RedisFleet` of `nestjs-bulwark/redis` is one.
 * Another store takes part by this contract.
 */
export interface Fleet {
  /** What all instances agree on: times and the quorum. */
  readonly options?: FleetOptions;
  /** Makes the link of one application, which is not connected yet. */
  link(member: FleetMember): FleetLink;
}

/** One application, as its fleet sees it. */
export interface FleetMember {
  /** Unlike that of any other instance, also of the same process before it was started anew. */
  readonly instance: string;
  /**
   * The store is reached, for the first time or again: asks for all that is shared. The link is up when
   * that has resolved, which it always does.
   */
  sync(): Promise<void>;
  /** The link is up from now on, or down; the latter also where it does not come up at first. */
  changed(isUp: boolean, reason?: Error): void;
  /** Something in the store or on the way was not what an instance writes, and was not believed. */
  refused(what: string): void;
  /** A question was not answered in time. */
  unanswered(): void;
}

/**
 * The way to the store. None of its Promises rejects, and none stays pending for longer than a question may
 * take: they resolve with `undefined` where there is no answer. What depends on it goes on without.
 */
export interface FleetLink {
  /** Whether the others are reached at this moment. */
  readonly isUp: boolean;
  /** So many instances there were when they were last heard of, with this one; at least 1. */
  readonly instances: number;
  /** The circuit breakers that instances share. */
  readonly verdicts: SharedVerdicts;
  /** The rate limits that instances share. */
  readonly tokens: SharedTokens;
  /** The bulkheads that instances share. */
  readonly slots: SharedSlots;
  /** What was ordered for all instances at run time. */
  readonly register: SharedRegister;
  /** What instances show each other of how they stand. */
  readonly snapshots: SharedSnapshots;
  /** Connects, and from then on again and again. */
  open(): void;
  /** Gives back what it holds, and ends its connections. */
  close(): Promise<void>;
}
