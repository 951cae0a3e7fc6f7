import type { Layer } from '../common/origin.js';
import type { RetryPolicy } from '../retry/retry.policy.js';
import type {
  Said,
  StageApplication,
  StageCatalog,
  StagedOperation,
} from '../stage/stage-definition.js';
import type { TimeoutPolicy } from '../timeout/timeout.policy.js';
import { TimeoutCatalog } from '../timeout/timeout-catalog.js';
import { ShadowTotalTimeout } from './shadow-total-timeout.js';
import { TotalTimeoutPolicy } from './total-timeout.policy.js';

type AnyTotal = TotalTimeoutPolicy | ShadowTotalTimeout;

/** The total times of an application's operations. */
export class TotalTimeoutCatalog implements StageCatalog<AnyTotal> {
  constructor(private readonly application: StageApplication) {}

  private get timeouts(): TimeoutCatalog {
    return this.application.catalogOf(TimeoutCatalog);
  }

  resolve(said: Said): AnyTotal | undefined {
    const { total, mode } = this.timeouts.times(inTotal(said));
    if (total === undefined) return undefined;
    return mode === 'shadow'
      ? new ShadowTotalTimeout(total, this.application)
      : new TotalTimeoutPolicy(total, said.place, this.application);
  }

  layers(said: Said): Layer[] {
    return this.timeouts.saidLayers(inTotal(said), 'total');
  }

  /** Where each attempt takes its time, the last ones have none. */
  doubts(operations: readonly StagedOperation[]): string[] {
    return operations.flatMap(({ operation, stages }) => doubtOf(operation, stages) ?? []);
  }
}

/** A bundle says a number, and a decorator all that it was given. */
function inTotal(said: Said): Said {
  const values = said.values.map((value) =>
    typeof value === 'number' ? { totalMs: value } : value,
  );
  return { ...said, values };
}

function doubtOf(operation: string, stages: StagedOperation['stages']): string | undefined {
  const total = stages.totalTimeout as AnyTotal | undefined;
  const retry = stages.retry as RetryPolicy | undefined;
  const timeout = stages.timeout as TimeoutPolicy | undefined;
  if (total === undefined || retry === undefined) return undefined;
  const attemptMs = timeout?.delayMs ?? 0;
  const { maxAttempts } = retry.options;
  let waitsMs = 0;
  let fitting = 1;
  for (let attempt = 2; attempt <= maxAttempts; attempt++) {
    waitsMs += retry.shortestDelayMs(attempt - 1);
    if (attempt * attemptMs + waitsMs <= total.delayMs) fitting = attempt;
  }
  if (fitting === maxAttempts) return undefined;
  const attempts = attemptMs === 0 ? '' : `${maxAttempts} × ${attemptMs} ms of attempts and `;
  const neededMs = maxAttempts * attemptMs + waitsMs;
  return `${operation}: ${maxAttempts} attempts do not fit into the total timeout of ${total.delayMs} ms where each takes its time: ${attempts}at least ${Math.round(waitsMs)} ms of waits are ${Math.round(neededMs)} ms, and ${fitting} would fit; allow fewer attempts, give each less time, or give the call more`;
}
