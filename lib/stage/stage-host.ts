import type { MetricsRecorder, MetricTags } from '../common/metrics.js';
import type { Membership } from '../fleet/membership.js';
import type { InFlight } from '../shutdown/in-flight.js';

/** What a policy is made with: where it reports to, and what it shares with the application. */
export interface StageHost {
  readonly captureStackTrace: boolean;
  /** Counts the calls that go through a policy by itself. */
  readonly inFlight: InFlight;
  readonly metrics: StageMetrics;
  /** What the instances of the application share, where it says so. */
  readonly fleet?: Membership | undefined;
  /** What is told by a user's code that fails where no call must: the log, once. */
  warnOf(what: string): (error: unknown) => void;
  /** Tells those who listen to the application's events. */
  report(event: StageEvent): void;
}

const UNSEEN: StageMetrics = {
  increment: () => undefined,
  gauge: () => undefined,
  observe: () => undefined,
  forget: () => undefined,
  bind: () => () => undefined,
  watch: () => ({ changed: () => undefined }),
};

/** The same for what stands for others, and is seen by nobody itself. */
export function unseen(host: StageHost): StageHost {
  return { ...host, metrics: UNSEEN, report: () => undefined };
}

/** Something that a stage did. */
export interface StageEvent {
  readonly type: string;
  readonly [detail: string]: unknown;
}

/** Where a stage's measurements go. */
export interface StageMetrics extends Required<Omit<MetricsRecorder, 'define'>> {
  /** A gauge that is asked: `changed()` says that it would answer otherwise now. */
  watch(name: string, tags: MetricTags, read: () => number): { changed(): void };
}
