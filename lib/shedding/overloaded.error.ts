import { giveMeaning, ResilienceError } from '../errors/resilience.error.js';

/**
 * How much a request matters: by `@Critical()` on what handles it, else by `x-request-criticality`, where
 * `inbound.trustCriticality` lets that be believed; `normal` without either.
 */
export const REQUEST_CRITICALITIES = ['sheddable', 'normal', 'critical'] as const;
/** How much a request matters: the least are shed first. */
export type RequestCriticality = (typeof REQUEST_CRITICALITIES)[number];

/** Why a request was refused: the event loop was late, or too many requests were in flight. */
export const SHEDDING_REASONS = ['event-loop-delay', 'in-flight'] as const;
/** Why a request was shed. */
export type SheddingReason = (typeof SHEDDING_REASONS)[number];

/** The server is overloaded, and refused a request before it did anything for it. */
export class OverloadedError extends ResilienceError {
  /** The class's name, by which logs show it. */
  override readonly name = 'OverloadedError';
  /** Tells the error apart from the library's others. */
  readonly code = 'OVERLOADED';

  constructor(
    /** Why the request was shed. */
    readonly reason: SheddingReason,
    /** How much the request matters. */
    readonly criticality: RequestCriticality,
    /** When to come again, in ms. */
    readonly retryAfterMs: number,
    captureStackTrace?: boolean,
  ) {
    super(
      `The server is overloaded (${reason}) and sheds ${criticality} requests`,
      captureStackTrace,
    );
  }
}

giveMeaning(OverloadedError, {
  code: 'OVERLOADED',
  http: 503,
  grpc: 8,
  message: 'The server is overloaded',
});
