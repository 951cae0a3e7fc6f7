import { AsyncLocalStorage } from 'node:async_hooks';
import { now, type PipelineObserver } from '../bench.js';
import type { OperationTracer, ResilienceEvent } from '../index.js';

/** How a call has ended for its caller, if it has. */
export type CallOutcome = 'pending' | 'success' | 'failure' | 'fallback' | 'degraded';

/** A call of a decorated method, or through a bundle or pipeline, as it is when a test asks: plain data. */
export interface CallRecord {
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  readonly operation: string;
  /** How many attempts have ended or were refused. One that is under way is not counted yet, and hedges belong to theirs. */
  readonly attempts: number;
  /** How long it waited before each retry, in ms. */
  readonly delaysMs: readonly number[];
  /** `fallback` and `degraded` (to `null`) where its caller sees nothing of the failure. */
  readonly outcome: CallOutcome;
  /** What its caller got of a promise; `undefined` of streams, as what they emit is not recorded. */
  readonly result?: unknown;
  /** What it failed by, also where its caller sees nothing of that. */
  readonly error?: unknown;
  /**
   * How long the call took, in ms, on the clock in force; while it is pending, how long it has taken so far.
   */
  readonly durationMs: number;
  /** What stages decided about it, in order: the types of its events, such as `retry`, `circuit-rejected`, `fallback`. */
  readonly decisions: readonly ResilienceEvent['type'][];
  /** The events of what stages decided about it, in order, with all details. */
  readonly events: readonly ResilienceEvent[];
}

/** A call while it is written down. */
class Recording {
  attempts = 0;
  readonly delaysMs: number[] = [];
  outcome: CallOutcome = 'pending';
  result?: unknown;
  error?: unknown;
  readonly events: ResilienceEvent[] = [];
  private readonly startedAt = now();
  private endedAt: number | undefined;

  /** @param around the one in which it was made */
  constructor(
    readonly operation: string,
    readonly around: Recording | undefined,
  ) {}

  /** As it is now, in plain data. */
  asData(): CallRecord {
    const { operation, attempts, outcome, result, error } = this;
    return {
      operation,
      attempts,
      delaysMs: [...this.delaysMs],
      outcome,
      result,
      error,
      durationMs: (this.endedAt ?? now()) - this.startedAt,
      decisions: this.events.map(({ type }) => type),
      events: [...this.events],
    };
  }

  answered(result: unknown): void {
    this.result = result;
    this.end('success');
  }

  refused(error: unknown): void {
    this.error = error;
    this.end('failure');
  }

  /** @param outcome where nobody has told another one */
  private end(outcome: CallOutcome): void {
    if (this.outcome === 'pending') this.outcome = outcome;
    this.endedAt = now();
  }
}

/**
 * All calls of an application, in the order in which they were made. What happens to a call is told in its async
 * context, by which it is known whose it is.
 */
export class CallRecords {
  private readonly current = new AsyncLocalStorage<Recording>();
  private all: Recording[] = [];

  of(operation: string): readonly CallRecord[] {
    return this.all.filter((call) => call.operation === operation).map((call) => call.asData());
  }

  clear(): void {
    this.all = [];
  }

  /** Writes calls down, beside what another tracer does. */
  tracer(other: OperationTracer | undefined): OperationTracer {
    return {
      trace: (operation, call) =>
        this.record(operation.operation, () => {
          try {
            other?.trace(operation, call);
          } finally {
            void this.follow(call());
          }
        }),
    };
  }

  /** Writes down what happens to calls, and tells it on. */
  observer(operation: string, other: PipelineObserver): PipelineObserver {
    const attempted = (attempts: number) => {
      const call = this.find(operation);
      if (call !== undefined) call.attempts = Math.max(call.attempts, attempts);
      return call;
    };
    return {
      onRetry: (error, attempt, delayMs) => {
        attempted(attempt)?.delaysMs.push(delayMs);
        other.onRetry(error, attempt, delayMs);
      },
      onRetrySuppressed: (...args) => other.onRetrySuppressed(...args),
      onHedge: (...args) => other.onHedge(...args),
      onHedgeWon: () => other.onHedgeWon(),
      onTimeout: (timeoutMs) => other.onTimeout(timeoutMs),
      onSuccess: (durationMs, at, attempt) => {
        attempted(attempt?.attempt ?? 1);
        other.onSuccess(durationMs, at, attempt);
      },
      onAttemptFailed: (error, attempt, isCut) => {
        attempted(attempt.attempt);
        other.onAttemptFailed(error, attempt, isCut);
      },
      onCriticalFailure: (error) => other.onCriticalFailure(error),
      onFallbackFailure: (...args) => other.onFallbackFailure(...args),
      onFailure: (error, failed) => {
        const call = attempted(failed.attempts);
        if (call !== undefined) Object.assign(call, { error, outcome: failed.outcome });
        other.onFailure(error, failed);
      },
    };
  }

  /** Something has happened in a call. */
  happened(event: ResilienceEvent): void {
    const { operation } = event as { operation?: string };
    const call = operation === undefined ? this.current.getStore() : this.find(operation);
    call?.events.push(event);
  }

  private record(operation: string, run: () => void): void {
    const call = new Recording(operation, this.current.getStore());
    this.all.push(call);
    this.current.run(call, run);
  }

  private async follow(answer: Promise<unknown>): Promise<void> {
    const call = this.current.getStore() as Recording;
    await answer.then(
      (result) => call.answered(result),
      (error: unknown) => call.refused(error),
    );
  }

  /** The innermost call of the operation that this happens in. */
  private find(operation: string): Recording | undefined {
    let call = this.current.getStore();
    while (call !== undefined && call.operation !== operation) call = call.around;
    return call;
  }
}
