import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { nameOr } from '../common/option-rules.js';
import { checked, merge } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import {
  checkRetryOptions,
  mergeRetryOptions,
  type ResolvedRetryOptions,
  type RetryOptions,
  retryArgument,
} from './retry.options.js';
import type { RetryPolicy, RetrySuppression } from './retry.policy.js';
import { checkRetryBudgetOptions, type RetryBudgetOptions } from './retry-budget.options.js';
import { RetryCatalog } from './retry-catalog.js';

/** What is typed of it. */
export interface RetryTypes {
  name: 'retry';
  policy: RetryPolicy;
  service: {
    /** Options, or the name of some in `retries`. @default no retry */
    retry?: RetryOptions | string;
  };
  names: {
    /** Options for `@Retry(name)`. */
    retries?: Record<string, RetryOptions>;
    /**
     * Budgets for `@Retry({ budget: name })`. One that is named like an `@Upstream` is the budget of
     * everything that calls it.
     */
    retryBudgets?: Record<string, RetryBudgetOptions>;
  };
  defaults: {
    /** What retries leave out. */
    retry?: RetryOptions;
  };
  /** With the budget in force, and the `name` that it is shared by. */
  described: Omit<ResolvedRetryOptions, 'budget'> & {
    budget: ({ name: string } & RetryBudgetOptions) | false;
  };
  event:
    | {
        /** Tells the event apart from others. */
        type: 'retry';
        /** `ClassName.method`, or the name of the bundle or pipeline. */
        operation: string;
        /** What the attempt failed by. */
        error: unknown;
        /** The attempt that failed, from 1. */
        attempt: number;
        /** How long the next one waits, in ms. */
        delayMs: number;
      }
    | {
        /** Tells the event apart from others. */
        type: 'retry-suppressed';
        /** `ClassName.method`, or the name of the bundle or pipeline. */
        operation: string;
        /** What the attempt failed by. */
        error: unknown;
        /** The attempt that failed, from 1, and that no other follows. */
        attempt: number;
        /** Why there is no retry, although the failure was worth one. */
        reason: RetrySuppression;
      };
}

/** Repeats a call that failed. */
export const retryStage: StageDefinition<RetryTypes> = {
  name: 'retry',
  title: 'retry',
  place: 'between',
  rule: nameOr(checkRetryOptions),
  defaults: { key: 'retry', rule: checked(checkRetryOptions) },
  sections: { retries: checkRetryOptions, retryBudgets: checkRetryBudgetOptions },
  overriding: {
    check: retryArgument,
    merge: mergeRetryOptions,
    isAddable: true,
    sections: {
      retries: { check: checkRetryOptions, merge: mergeRetryOptions },
      retryBudgets: { check: checkRetryBudgetOptions, merge },
    },
  },
  catalog: (application) => new RetryCatalog(application),
  suits({ options: { beforeRetry } }, place, { returns }) {
    if (returns !== 'either' || beforeRetry === undefined || typeof beforeRetry === 'function')
      return;
    throw new ResilienceConfigurationError(
      `${place}.beforeRetry`,
      `is ${display(beforeRetry)}; allowed here, where there is no class: a function`,
    );
  },
  describe: ({ options, budget }) => ({
    ...options,
    budget: budget ? { name: budget.name, ...budget.options } : false,
  }),
  summarize: ({ options }) => `at most ${options.maxAttempts} attempts`,
  metrics: {
    'retry.attempt': {
      kind: 'counter',
      exported: 'retry_attempts',
      help: 'Attempts that failed and were followed by another; attempt is the number of the failed one, from 1.',
      labels: ['operation', 'error_type', 'attempt'],
    },
    'retry.suppressed': {
      kind: 'counter',
      help: 'Attempts that failed, were worth another and got none, by reason: the budget was spent, or a call inside (nested) had retried already.',
      labels: ['operation', 'reason'],
    },
  },
};
