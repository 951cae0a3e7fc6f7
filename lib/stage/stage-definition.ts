import type { Metrics } from '../common/metrics.js';
import type { Checker, Rule } from '../common/options.js';
import type { Layer, Origin } from '../common/origin.js';
import type { Memory } from '../state/memory.js';
import type { Learnt } from '../state/state-document.js';
import type { OperationTraits } from './call-keys.js';
import type { NamedInstances } from './named-instances.js';
import type { PolicyChange } from './policy-change.js';
import type { StageHost } from './stage-host.js';
import type { StageTypes } from './stage-types.js';

/**
 * Where a stage stands: around the whole call, between its attempts, or around each of them. What stands
 * around an attempt is an `AttemptStage`.
 */
export type StagePlace = 'call' | 'between' | 'attempt';

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
  /** The stage whose decorator says it too. @default it has one of its own */
  readonly saidBy?: string;
  /** What a bundle may say. */
  readonly rule: Rule;
  /** What fills in where options leave something out, and what `defaults` call it. */
  readonly defaults?: { readonly key: string; readonly rule: Rule };
  /** The options of the module that are its own, and how one entry of each is checked. */
  readonly sections?: Readonly<Record<string, Checker>>;
  /** Of a stage that has instances with names, which operations share. */
  readonly instances?: NamedInstances;
  /** What overrides can say of its options. @default it can be switched off and on, and no more */
  readonly overriding?: StageOverriding;
  /** Whether overrides can switch it off. @default true */
  readonly isSwitch?: boolean;
  /** The stages around it whose policies its own is made with. */
  readonly madeWith?: readonly string[];
  /** The class of the errors by which it refuses or cuts an attempt. */
  readonly error?: abstract new (
    ...args: never[]
  ) => NonNullable<T['error']>;
  /** What it records. */
  readonly metrics?: Metrics;
  /** What one application has of it. */
  catalog(application: StageApplication): StageCatalog<T['policy']>;
  /**
   * Asked at boot whether it can do for an operation what it should.
   *
   * @throws ResilienceConfigurationError where it cannot
   */
  suits?(policy: T['policy'], place: string, operation: OperationTraits): void;
  /** For `OperationDescription.stages`; nothing of a stage that is no more than a label. */
  describe?(policy: T['policy']): object;
  /** In the log's line about an operation. */
  summarize(policy: T['policy']): string;
  /** In the log's line about all of them. @default `with <title>` */
  count?(policy: T['policy']): string | undefined;
  /** The application has ended: nothing of it may keep the process alive. */
  ended?(policy: T['policy']): void;
}

/** What overrides can say of a stage's options. */
export interface StageOverriding {
  /** Checks some of the options, or what is shorter. @returns options */
  readonly check: Checker<object>;
  /** Later layers win. */
  merge(...layers: (object | undefined)[]): object;
  /** Whether it has a mode, which can also be said of all stages together. */
  readonly hasMode?: boolean;
  /** Whether it is nothing but options, so that an operation can be given it that has none. */
  readonly isAddable?: boolean;
  /** How options are called in overrides that are described by another word. */
  readonly described?: Readonly<Record<string, string>>;
  /** Of the module's options that are its own. @default the same for all */
  readonly sections?: Readonly<Record<string, StageOverriding>>;
}

/** What overrides say of something by its name, the lowest layer first. */
export type NamedOverrides = (section: string, name: string) => readonly Layer[];

/** What overrides say of an instance, also of those that operations have of their own. */
export type InstanceOverrides = (name: string, instance: object) => readonly Layer[];

/** What an application gives its stages. */
export interface StageApplication extends StageHost {
  /** What the module's `defaults` say, by key. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Whether a name that nobody has registered is one with defaults, as in a test; else it is a mistake. */
  readonly registersUnknown?: boolean;
  /** What its policies had learnt before a restart, where it is kept. */
  readonly memory?: Memory | undefined;
  /** What it has of another stage. */
  catalogOf<C extends StageCatalog>(type: abstract new (...args: never[]) => C): C;
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
  /** The options that the policy was made by, the lowest layer first. @default those that were said */
  layers?(said: Said): readonly Layer[];
  /** What has a name in one of its sections. */
  names?(section: string): Iterable<string>;
  /**
   * What instances would go by under overrides, of those that would change.
   *
   * @param named what is said of names
   * @param of what is said of an instance, also of the operations that go through it
   * @param only of this one alone, which an operation goes through
   * @throws ResilienceConfigurationError
   */
  propose?(named: NamedOverrides, of: InstanceOverrides, only?: P): PolicyChange[];
  /** What is allowed, but is probably not what was meant. */
  doubts?(operations: readonly StagedOperation[]): string[];
  /** What its policies have learnt so far, that of the most important first. */
  learnt?(): Learnt[];
  /** What was known before a restart has been loaded: its policies are told, and so are those that come. */
  recall?(): void;
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
  /** Who said each of them. */
  readonly origins: readonly Origin[];
  /** What was said above all of them of what has names. */
  readonly overrides: NamedOverrides;
  /** The operation's policy until now, for what it keeps. */
  readonly previous?: unknown;
  /** The policies of the stages around this one, by name. */
  readonly outer: Readonly<Record<string, unknown>>;
}

/** An operation, as the doubts about it see it. */
export interface StagedOperation {
  readonly operation: string;
  readonly upstream: string | undefined;
  readonly stages: Readonly<Record<string, unknown>>;
}
