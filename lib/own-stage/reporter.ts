import type { MetricTags } from '../common/metrics.js';
import { giveMeaning, ResilienceError } from '../errors/resilience.error.js';
import type { StageEvent, StageHost } from '../stage/stage-host.js';
import type { AnySpecification, RefusalDetails, StageReporter } from './stage-specification.js';

/** The class of a stage's errors. */
export type StageErrorClass = new (
  message: string,
  details?: RefusalDetails & { captureStackTrace?: boolean },
) => ResilienceError;

/** Made for a stage, so that `instanceof` tells its errors from those of others. */
export function errorClassOf({ name, error }: AnySpecification): StageErrorClass {
  const meaning = error ?? {
    code: 'REJECTED',
    http: 503,
    grpc: 14,
    message: 'The service is temporarily unavailable',
  };
  class StageError extends ResilienceError {
    override readonly name = `${name.charAt(0).toUpperCase()}${name.slice(1)}Error`;
    readonly code = meaning.code;
    readonly retryAfterMs: number | undefined;

    constructor(message: string, details: RefusalDetails & { captureStackTrace?: boolean } = {}) {
      super(message, details.captureStackTrace, details.cause);
      this.retryAfterMs = details.retryAfterMs;
    }
  }
  giveMeaning(StageError, meaning);
  return StageError;
}

/** What one instance reports to. */
export class Reporter implements StageReporter {
  private readonly tags: Readonly<Record<string, string>>;

  constructor(
    private readonly stage: string,
    private readonly instance: string,
    private readonly host: StageHost,
    private readonly errorClass: StageErrorClass,
  ) {
    this.tags = { [stage]: instance };
  }

  report(event: StageEvent): void {
    this.host.report({ ...this.tags, ...event });
  }

  count(metric: string, tags?: MetricTags, by?: number): void {
    this.host.metrics.increment(metric, this.tagged(tags), by);
  }

  gauge(metric: string, value: number, tags?: MetricTags): void {
    this.host.metrics.gauge(metric, value, this.tagged(tags));
  }

  observe(metric: string, durationMs: number, tags?: MetricTags): void {
    this.host.metrics.observe(metric, durationMs, this.tagged(tags));
  }

  refusal({ message, ...details }: RefusalDetails = {}): ResilienceError {
    const { captureStackTrace } = this.host;
    const text = message ?? `The ${this.stage} "${this.instance}" refused the call`;
    return new this.errorClass(text, { ...details, captureStackTrace });
  }

  private tagged(tags: MetricTags | undefined): MetricTags {
    return tags === undefined ? this.tags : { ...this.tags, ...tags };
  }
}
