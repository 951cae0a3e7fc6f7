import { LatencySketch, type MetricsRecorder, type MetricTags } from '../index.js';
import { type OperationStats, RollingStats } from './rolling-stats.js';

/** So many operations are told apart; the rest is shown as one, `__other__`. */
const MAX_OPERATIONS = 1_000;
const OTHER = '__other__';

/** Listens to the library's metrics and keeps what each operation's calls came to in the last minute. */
export class OperationCollector implements MetricsRecorder {
  private readonly operations = new Map<string, RollingStats>();
  private readonly merged = new LatencySketch();

  /** @param now ms on a monotonic clock */
  constructor(private readonly now: () => number = () => performance.now()) {}

  increment(name: string, tags: MetricTags = {}, by = 1): void {
    if (name !== 'requests.total' && name !== 'retry.attempt') return;
    const at = this.now();
    const stats = this.statsOf(tags, at);
    const { outcome } = tags;
    const hidden = outcome === 'fallback' || outcome === 'degraded';
    for (let count = 0; count < by; count++)
      if (name === 'retry.attempt') stats.retry(at);
      else stats.call(at, outcome !== 'success', hidden);
  }

  gauge(): void {} // of breakers and bulkheads, which are asked themselves

  /** Of the calls, those that reached what they call, and were not rejected before. */
  observe(name: string, value: number, tags: MetricTags = {}): void {
    if (name !== 'request.duration') return;
    const at = this.now();
    this.statsOf(tags, at).duration(at, value);
  }

  /** Every operation that was called since the start. */
  read(): Map<string, OperationStats> {
    const at = this.now();
    return new Map(
      [...this.operations].map(([name, stats]) => [name, stats.read(at, this.merged)]),
    );
  }

  private statsOf(tags: MetricTags, at: number): RollingStats {
    const name = String(tags.operation);
    const known = this.operations.get(name);
    if (known !== undefined) return known;
    if (this.operations.size >= MAX_OPERATIONS && name !== OTHER)
      return this.statsOf({ operation: OTHER }, at);
    const stats = new RollingStats(at);
    this.operations.set(name, stats);
    return stats;
  }
}
