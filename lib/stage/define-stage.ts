import type { Metrics, MetricTags } from '../common/metrics.js';
import type { Rule } from '../common/options.js';
import type { ErrorMeaning, ResilienceError } from '../common/resilience.error.js';
import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import { decoratorName } from '../dispatch/method-definition.js';
import type { AttemptStage } from './attempt-stage.js';
import { definitionOf, type StageErrorClass } from './own-stage.js';
import type { HealthLevel, StageDefinition, StageEvent } from './stage-definition.js';

/** What a stage of your own does at each attempt, and what it tells of itself. One is shared by a name. */
export interface StageInstance extends AttemptStage {
  /** How it stands: for health and the dashboard. Plain values. */
  snapshot?(): object;
  /** It is used no more. */
  dispose?(): void;
}

/** What an instance reports to. Metrics are tagged with its name, under that of the stage. */
export interface StageReporter {
  /** Goes to `ResilienceEvents`, to diagnostics channels and to traces. */
  report(event: StageEvent): void;
  count(metric: string, tags?: MetricTags, by?: number): void;
  gauge(metric: string, value: number, tags?: MetricTags): void;
  /** A duration, in ms. */
  observe(metric: string, durationMs: number, tags?: MetricTags): void;
  /** The stage's error, to throw where an attempt is refused. */
  refusal(details?: RefusalDetails): ResilienceError;
}

/** What else an error says. */
export interface RefusalDetails {
  /** For logs: clients are told what the stage's `error` says. */
  message?: string;
  cause?: unknown;
  /** Clients are told by `Retry-After`. */
  retryAfterMs?: number;
}

/** Options, of which those with defaults are always there. */
export type OptionsInForce<Options, Defaults> = Partial<Options> &
  Required<Pick<Options, keyof Defaults & keyof Options>>;

type SnapshotOf<Instance> = Instance extends { snapshot(): infer Snapshot } ? Snapshot : never;

/** What a stage of your own is. */
export interface StageSpecification<
  Name extends string,
  Section extends string,
  Options extends object,
  Defaults extends Partial<Options>,
  Short,
  Instance extends StageInstance,
> {
  /** Its key in bundles, and in what `describe()` answers. Its decorator is called alike: `@Concurrency()`. */
  name: Name;
  /** Around each attempt: the only place for stages of your own. */
  place?: 'attempt';
  /** The stage that it stands right inside of, ours or yours. @default it is the innermost */
  inside?: string;
  /** The module's option in which its instances get names. @default they have none: each operation has its own */
  named?: Section;
  /** A rule for each option, such as `rules.count`. */
  options: { [Option in keyof Options]: Rule<Options[Option]> };
  defaults?: Defaults;
  /** The options that something shorter in their place stands for: a number, for instance. */
  short?(value: Short): NoInfer<Partial<Options>>;
  /** Makes an instance: for a name, or for an operation that has its own. */
  make(name: string, options: OptionsInForce<Options, Defaults>, host: StageReporter): Instance;
  /** What it records. Labels begin with the stage's name. */
  metrics?: Metrics;
  /** What its error means on every transport. */
  error?: ErrorMeaning;
  /** How well an instance is, by its snapshot. @default up */
  health?(snapshot: SnapshotOf<Instance>): HealthLevel;
}

/** A stage of your own, for `forRoot({ stages: [...] })`. */
export interface Stage<
  Name extends string = string,
  Section extends string = string,
  Options extends object = object,
  Short = unknown,
  Instance extends StageInstance = StageInstance,
> {
  readonly name: Name;
  /** The class of its errors. */
  readonly Error: StageErrorClass;
  /** Of types only: what the module's options, decorators and injection are inferred from. */
  readonly types?: { section: Section; options: Options; short: Short; instance: Instance };
  /** @internal */
  readonly definition: StageDefinition;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever its options are
export type AnyStage = Stage<string, any, any, any, any>;

type TypesOf<S extends AnyStage> = NonNullable<S['types']>;

/** Its options, or something shorter. */
type OptionsOf<S extends AnyStage> = TypesOf<S>['options'] | TypesOf<S>['short'];

/** What a stage's decorator takes, and bundles say: options, or the name of an instance. */
export type StageArgument<S extends AnyStage> =
  | OptionsOf<S>
  | ([TypesOf<S>['section']] extends [never] ? never : string);

/** The module's options in which the instances of stages get names. */
export type NamesOf<Stages extends readonly AnyStage[]> = {
  [S in Stages[number] as TypesOf<S>['section']]?: Record<string, OptionsOf<S>>;
};

/** What bundles can say of stages. */
export type ArgumentsOf<Stages extends readonly AnyStage[]> = {
  [S in Stages[number] as S['name']]?: StageArgument<S>;
};

/** What `defaults` can say of stages. */
export type DefaultsOf<Stages extends readonly AnyStage[]> = {
  [S in Stages[number] as S['name']]?: OptionsOf<S>;
};

/**
 * Defines a stage of your own, which is then like one of ours: its options are checked at boot, its
 * instances can be shared by name, described and injected; its error is mapped at every edge, its metrics
 * are exported, its snapshot is part of health and of the dashboard.
 *
 * What is wrong with it fails the boot of applications that have it in `forRoot({ stages })`.
 */
export function defineStage<
  const Name extends string,
  Options extends object,
  Instance extends StageInstance,
  const Section extends string = never,
  Defaults extends Partial<Options> = Record<never, never>,
  Short = never,
>(
  specification: StageSpecification<Name, Section, Options, Defaults, Short, Instance>,
): Stage<Name, Section, Partial<Options>, Short, Instance> {
  const { name } = specification;
  const { definition, errorClass } = definitionOf(specification as unknown as AnySpecification);
  return { name, Error: errorClass, definition };
}

/** @internal */
export type AnySpecification = StageSpecification<
  string,
  string,
  Record<string, unknown>,
  object,
  unknown,
  StageInstance
>;

/** The decorator of a stage of your own: `const Concurrency = decoratorOf(concurrency)`. */
export function decoratorOf<S extends AnyStage>(
  stage: S,
): (argument?: StageArgument<S>) => ResilienceDecorator {
  return (argument = {}) => decorate(stage.name, argument, decoratorName(stage.name));
}

/** The injection token of a named instance of a stage: of what its `make` made. */
export function getStageToken(stage: AnyStage, name: string): string {
  return policyToken(stage.name, name);
}

/** Injects a named instance of a stage: what its `make` made. An unknown name fails the boot. */
export function InjectStage(stage: AnyStage, name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getStageToken(stage, name), '@InjectStage()');
}
