import { checked, nameOr } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { checkRetryOptions } from './retry.options.js';
import type { RetryPolicy } from './retry.policy.js';
import { checkRetryBudgetOptions } from './retry-budget.options.js';
import { RetryCatalog } from './retry-catalog.js';

/** Repeats a call that failed. */
export const retryStage = {
  name: 'retry',
  title: 'retry',
  place: 'between',
  rule: nameOr(checkRetryOptions),
  defaults: { key: 'retry', rule: checked(checkRetryOptions) },
  sections: { retries: checkRetryOptions, retryBudgets: checkRetryBudgetOptions },
  catalog: (application) => new RetryCatalog(application),
  /** With the budget in force, by the name that it is shared by. */
  describe: ({ options, budget }) => ({
    ...options,
    budget: budget ? { name: budget.name, ...budget.options } : false,
  }),
  summarize: ({ options }) => `at most ${options.maxAttempts} attempts`,
} satisfies StageDefinition<RetryPolicy>;
