import { known } from '../common/configuration.error.js';
import type { Operation } from './operation.js';
import type { PolicyCatalog } from './policy-catalog.js';

/** What is allowed, but is probably not what was meant: a warning for each. */
export function doubtsAbout(operations: readonly Operation[], catalog: PolicyCatalog): string[] {
  return [
    ...catalog.breakers
      .list()
      .flatMap(({ name, options }) => [
        ...fraction(
          `circuit breaker ${name}`,
          'failureRateThreshold',
          options.failureRateThreshold,
        ),
        ...fraction(
          `circuit breaker ${name}`,
          'slowCallRateThreshold',
          options.slowCallRateThreshold,
        ),
      ]),
    ...operations.flatMap(({ pipeline: { plan } }) =>
      fraction(plan.operation, 'afterPercentile', plan.stages.hedge?.options.afterPercentile),
    ),
    ...unnamedBudgets(operations, catalog),
    ...wideBudgets(operations, catalog),
  ];
}

/** Percentages run from 0 to 100. */
function fraction(place: string, option: string, percentage: number | undefined): string[] {
  if (percentage === undefined || percentage > 1) return [];
  const meant = Number((percentage * 100).toPrecision(6));
  const share = percentage === 0.5 ? 'half a percent' : `${percentage} percent`;
  return [`${place}: ${option} ${percentage} is ${share}; did you mean ${meant}?`];
}

/** A budget is that of an upstream by its name alone, so a misspelt one bounds nothing. */
function unnamedBudgets(operations: readonly Operation[], { budgets }: PolicyCatalog): string[] {
  const upstreams = new Set(operations.flatMap(({ upstream }) => upstream ?? []));
  const used = new Set(budgetsOf(operations));
  return budgets
    .list()
    .filter((budget) => !upstreams.has(budget.name) && !used.has(budget))
    .map(
      ({ name }) =>
        `retryBudgets.${name} bounds nothing: no @Upstream is called ${name}, and no retry names it as its budget; of upstreams, ${known(upstreams, name)}`,
    );
}

/** The ratio is a fraction, unlike percentages. */
function wideBudgets(operations: readonly Operation[], { budgets }: PolicyCatalog): string[] {
  const all = new Set([...budgets.list(), ...budgetsOf(operations)]);
  return [...all]
    .filter(({ options }) => options.ratio > 1)
    .map(
      ({ name, options: { ratio } }) =>
        `retry budget ${name}: ratio ${ratio} allows ${ratio} retries for each first attempt; did you mean ${ratio / 100} (${ratio} %)?`,
    );
}

function budgetsOf(operations: readonly Operation[]) {
  return operations.flatMap(({ pipeline: { plan } }) => plan.stages.retry?.budget ?? []);
}
