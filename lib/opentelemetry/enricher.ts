import { Logger } from '@nestjs/common';
import type { Attributes } from '@opentelemetry/api';
import { describeError, type TracedOperation } from '../index.js';

/** How a call ended for its caller. */
export type TracedOutcome = 'success' | 'failure' | 'fallback' | 'degraded';

/** A call that has ended. */
export interface TracedCall
  extends Pick<TracedOperation, 'operation' | 'service' | 'upstream' | 'critical'> {
  /** How the call ended. */
  readonly outcome: TracedOutcome;
  /** What it failed by, hidden from the caller or not; none of a success. */
  readonly error?: unknown;
}

const logger = new Logger('Resilience');

/** Asks a user's function for attributes. Where it fails, the span goes without, which is said once. */
export class Enricher {
  private hasFailed = false;

  constructor(private readonly attributes: (call: TracedCall) => Attributes | undefined) {}

  of(call: TracedCall): Attributes {
    try {
      const attributes: unknown = this.attributes(call) ?? {};
      if (attributes instanceof Promise) {
        attributes.catch(() => undefined);
        throw new TypeError('answered a promise; it has to answer at once');
      }
      if (typeof attributes !== 'object') throw new TypeError('answered no object of attributes');
      return { ...attributes }; // a getter throws here, and not in the SDK
    } catch (error) {
      this.tell(error);
      return {};
    }
  }

  private tell(error: unknown): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    logger.warn(
      `attributes of OpenTelemetryTracer failed: ${describeError(error).message} (said once; spans go on without them)`,
    );
  }
}
