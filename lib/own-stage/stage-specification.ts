import type { AttemptStage } from '../attempt/attempt-stage.js';
import type { Metrics, MetricTags } from '../common/metrics.js';
import type { Rule } from '../common/options.js';
import type { HealthLevel } from '../common/stage-instances.js';
import type { ErrorMeaning, ResilienceError } from '../errors/resilience.error.js';
import type { StageEvent } from '../stage/stage-host.js';

/** What a stage of your own does at each attempt, and what it tells of itself. One is shared by a name. */
export interface StageInstance extends AttemptStage {
  /** How it stands: for health and the dashboard. Plain values. */
  snapshot?(): object;
  /**
   * Gives the instance other options from now on, which have been checked: those of all layers, with the
   * defaults. Attempts that it has let in end as they began. @default its options cannot be changed at run
   * time
   */
  change?(options: object): void;
  /** Called when the instance is used no more. */
  dispose?(): void;
}

/** What an instance reports to. Metrics are tagged with its name, under that of the stage. */
export interface StageReporter {
  /** Goes to `ResilienceEvents`, to diagnostics channels and to traces. */
  report(event: StageEvent): void;
  /** Counts one more, or `by`, of a counter of the stage's `metrics`. */
  count(metric: string, tags?: MetricTags, by?: number): void;
  /** Says what a gauge of the stage's `metrics` stands at. */
  gauge(metric: string, value: number, tags?: MetricTags): void;
  /** Adds a duration, in ms, to a histogram of the stage's `metrics`. */
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

/** Whatever its options are. */
export type AnySpecification = StageSpecification<
  string,
  string,
  Record<string, unknown>,
  object,
  unknown,
  StageInstance
>;
