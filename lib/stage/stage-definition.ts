import type { BoundMetric, MetricKind, Metrics, MetricTags } from '../common/metrics.js';
import type { Rule } from '../common/options.js';
import type { Registry } from '../common/registry.js';
import type { InFlight } from '../shutdown/in-flight.js';
import type { StageTypes } from './stage-types.js';

/**
 * Where a stage stands: around the whole call, between its attempts, or around each of them. What stands
 * around an attempt is an `AttemptStage`.
 */
export type StagePlace = 'call' | 'between' | 'attempt';

/** How well something is. `degraded`: something does not get through, and the instance serves all the same. */
export type HealthLevel = 'up' | 'degraded' | 'down';

/** Checks what options say at a place, by throwing a ResilienceConfigurationError. */
export type Checker = (place: string, value: unknown) => unknown;

/**
 * All that the library knows of a stage. Its policy is what an operation has that goes through it.
 *
 * Written with methods, so that definitions of different policies fit in one list.
 */
export interface StageDefinition<T extends StageTypes = StageTypes> {
  /** Of types only. */
  readonly types?: T;
  /** What the decorators say is kept by this name, and so are the policies of an operation. */
  readonly name: T['name'];
  /** In words, for messages and the log: `circuit breaker`. */
  readonly title: string;
  readonly place: StagePlace;
  /** Of an application's own: the stage that it stands right inside of. */
  readonly inside?: string | undefined;
  /** What a bundle calls it. @default its name */
  readonly key?: string;
  /** What a bundle may say. */
  readonly rule: Rule;
  /** What fills in where options leave something out, and what `defaults` call it. */
  readonly defaults?: { readonly key: string; readonly rule: Rule };
  /** The options of the module that are its own, and how one entry of each is checked. */
  readonly sections?: Readonly<Record<string, Checker>>;
  /** Of a stage that has instances with names, which operations share. */
  readonly instances?: SharedInstances;
  /** The class of the errors by which it refuses or cuts an attempt. */
  readonly error?: abstract new (
    ...args: never[]
  ) => NonNullable<T['error']>;
  /** What it records. */
  readonly metrics?: Metrics;
  /** What one application has of it. */
  catalog(application: StageApplication): StageCatalog<T['policy']>;
  /** For `OperationDescription.stages`; nothing of a stage that is no more than a label. */
  describe?(policy: T['policy']): object;
  /** In the log's line about an operation. */
  summarize(policy: T['policy']): string;
  /** In the log's line about all of them. @default `with <title>` */
  count?(policy: T['policy']): string | undefined;
  /** The application has ended: nothing of it may keep the process alive. */
  ended?(policy: T['policy']): void;
}

/** A policy that operations can share by its name. */
export interface NamedPolicy {
  readonly name: string;
  /** The options without the defaults, for who builds on them. @internal */
  readonly given: object;
}

/** The instances of a stage that can have names, as the module and dependency injection know them. */
export interface SharedInstances<P extends NamedPolicy = NamedPolicy> {
  readonly stage: string;
  /** For messages: `circuit breaker`. */
  readonly title: string;
  /** The module's option in which they are named: `breakers`. None where each operation has its own. */
  readonly section: string | undefined;
  /** What they are, for who puts something else in their place, and the method that this needs. */
  readonly policy: { readonly name: string };
  readonly needs: string;
  /** Injects all of an application. */
  readonly registry: abstract new (
    ...args: never[]
  ) => Registry<NamedPolicy>;
  /** What is injected by a name. @default the policy */
  injected?(policy: P): unknown;
  snapshot?(policy: P): object;
  health?(snapshot: object, isDecisive: boolean): { status: HealthLevel };
}

/** What an application gives its stages. */
export interface StageApplication extends StageHost {
  /** What the module's `defaults` say, by key. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** What it has of another stage. */
  catalogOf<C extends StageCatalog>(type: abstract new (...args: never[]) => C): C;
}

/** What a policy is made with: where it reports to, and what it shares with the application. */
export interface StageHost {
  readonly captureStackTrace: boolean;
  /** Counts the calls that go through a policy by itself. */
  readonly inFlight: InFlight;
  readonly metrics: StageMetrics;
  /** What is told by a user's code that fails where no call must: the log, once. */
  warnOf(what: string): (error: unknown) => void;
  /** Tells those who listen to the application's events. */
  report(event: StageEvent): void;
}

/** Something that a stage did. */
export interface StageEvent {
  readonly type: string;
  readonly [detail: string]: unknown;
}

/** Where a stage's measurements go. */
export interface StageMetrics {
  increment(name: string, tags?: MetricTags, by?: number): void;
  gauge(name: string, value: number, tags?: MetricTags): void;
  observe(name: string, value: number, tags?: MetricTags): void;
  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric;
  /** A gauge that is asked: `changed()` says that it would answer otherwise now. */
  watch(name: string, tags: MetricTags, read: () => number): { changed(): void };
}

/** What one application has of a stage: what can be referred to by name, and how operations get their policy. */
export interface StageCatalog<P = unknown> {
  /**
   * Takes in what checked options name.
   *
   * @throws ResilienceConfigurationError where a name is taken
   */
  add?(options: NamingOptions): void;
  /**
   * For when everything is known that has a name.
   *
   * @throws ResilienceConfigurationError on an unknown name
   */
  checkNames?(options: NamingOptions): void;
  /**
   * The policy of an operation.
   *
   * @param said has at least one value
   * @throws ResilienceConfigurationError
   */
  resolve(said: Said): P | undefined;
  /** What is allowed, but is probably not what was meant. */
  doubts?(operations: readonly StagedOperation[]): string[];
  /** The application begins to close. */
  shutdown?(): void;
  /** It has ended. */
  ended?(): void;
}

/** Options that give names, section by section. */
export type NamingOptions = Readonly<Record<string, unknown>>;

/** What was said of an operation for one stage. */
export interface Said {
  /** The operation's name, which is that of policies of its own. */
  readonly operation: string;
  readonly upstream: string | undefined;
  /** Where it was said, for messages: `PaymentsService.charge @Retry()`. */
  readonly place: string;
  /**
   * What was said, the class's before the method's. Also an `undefined` that somebody wrote: a constant
   * that a circular import has not set yet.
   */
  readonly values: readonly unknown[];
  /** The policies of the stages around this one, by name. */
  readonly outer: Readonly<Record<string, unknown>>;
}

/** An operation, as the doubts about it see it. */
export interface StagedOperation {
  readonly operation: string;
  readonly upstream: string | undefined;
  readonly stages: Readonly<Record<string, unknown>>;
}
