import type { Registry } from '../common/registry.js';
import type { HealthLevel } from '../common/stage-instances.js';
import type { Order } from '../fleet/shared-register.js';
import { isReference } from './keyed.options.js';
import type { StageHost } from './stage-host.js';

/** A policy that operations can share by its name. */
export interface NamedPolicy {
  readonly name: string;
  /** The options without the defaults, for who builds on them. @internal */
  readonly given: object;
}

/**
 * The instances of a stage that can have names: how they are made, and how the module and dependency
 * injection know them.
 */
export interface NamedInstances<P extends NamedPolicy = NamedPolicy, O extends object = object> {
  readonly stage: string;
  /** For messages: `circuit breaker`. */
  readonly title: string;
  /** The module's option in which they are named: `breakers`. None where each operation has its own. */
  readonly section: string | undefined;
  /** What they are, for who puts something else in their place. */
  readonly policy: { readonly name: string };
  /** Injects all of an application. */
  readonly registry: new (
    ...args: ConstructorParameters<typeof Registry>
  ) => Registry<P>;
  check(place: string, options: unknown): O;
  /** The option that a number in the place of a name was meant for: `maxConcurrent`. */
  readonly main?: string;
  /** The least that options by a name have to say, as code. @default `{}` */
  readonly least?: string;
  /** Later layers win. @default field by field */
  merge?(...layers: (O | undefined)[]): O;
  /** What a name stands for that nobody has registered, where that is no mistake. @default the defaults */
  readonly unregistered?: O;
  /** Checks the options of all layers together. @returns those in force */
  resolve(place: string, options: O): object;
  make(name: string, options: O, host: StageHost): P;
  /** What is injected by a name. @default the policy */
  injected?(policy: P): unknown;
  snapshot?(policy: P): object;
  /** What the snapshots of all that are kept by key under a name come to together. */
  sum?(snapshots: readonly object[]): object;
  health?(snapshot: object, isDecisive: boolean): { status: HealthLevel };
  /** Whether instances of the application can share one, by its option `shared`. @default no */
  readonly isSharable?: true;
  /** Whether they have a `mode`, which `defaults.mode` fills in. @default no */
  readonly canShadow?: true;
  /** What can be told to the whole fleet of one. */
  orders?: {
    knows(value: unknown): boolean;
    obey(policy: P, order: Order): void;
  };
  /**
   * From now on one goes by other options, which have been checked: calls that are in it end by the old ones,
   * and what it has learnt stays as far as it keeps its meaning.
   */
  change?(policy: P, options: O): void;
  /** Whether that can be done to one. @default yes */
  canChange?(policy: P): boolean;
  /** What one has learnt, as JSON can hold it, with ages instead of times; `undefined` where that is nothing. */
  remember?(policy: P): object | undefined;
  /** The same of before a restart, so long ago; whatever is wrong in it is left out. It never throws. */
  recall?(policy: P, remembered: unknown, agoMs: number): void;
  /** What is allowed of one, but is probably not what was meant. */
  doubts?(policy: P): string[];
  /** The application begins to close. */
  shutdown?(policy: P): void;
  /** It is used no more. */
  dispose?(policy: P): void;
  /** One is there no more, of which gauges still tell. */
  left(name: string, host: StageHost): void;
}

/** Whether options or a decorator say something of one's own, and not the name of something shared. */
export function isInline(said: unknown): boolean {
  return said !== undefined && typeof said !== 'string' && !isReference(said);
}
