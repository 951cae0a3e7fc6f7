import { BadRequestException } from '@nestjs/common';
import { type InstanceView, type OperationDescription, readableCopy } from '../index.js';
import type { AdminState } from './admin-state.js';
import type { Reading } from './route.js';
import { listOf, objectOf, said, schema, types } from './schemas.js';

const NO_STATS = { calls: 0, rate: 0, errorRate: 0, hiddenRate: 0, retries: 0 };

/** What can be asked. */
export const READINGS: readonly Reading[] = [
  {
    method: 'GET',
    path: '/operations',
    summary:
      'Every resilient operation: its options, and what its calls came to in the last minute',
    answers: objectOf({ operations: listOf(schema('Operation')) }),
    read: (state) => ({ operations: operationsOf(state) }),
  },
  {
    method: 'GET',
    path: '/policies',
    summary: 'Circuit breakers, bulkheads, rate limits and stages of your own, as they stand',
    answers: objectOf({ policies: listOf(schema('Policy')) }),
    read: (state) => ({ policies: policiesOf(state) }),
  },
  {
    method: 'GET',
    path: '/configuration',
    summary:
      'The options in force, where each of them comes from, and what was said in their place',
    answers: objectOf({
      operations: listOf(schema('Configured')),
      overrides: said(
        listOf(objectOf({ place: types.text, overrides: schema('Overrides') })),
        'By where that was, the later ones win.',
      ),
    }),
    read: ({ sources: { resilience } }) => ({
      operations: resilience.describe().map(configured),
      overrides: resilience.overrides().map(({ place, overrides }) => ({
        place,
        overrides: readableCopy(overrides),
      })),
    }),
  },
  {
    method: 'GET',
    path: '/events',
    summary: 'What has happened since somebody asked last; the latest 200 of each type are kept',
    query: { since: 'The next of an answer before; all that are kept without it.' },
    answers: objectOf({
      events: listOf(schema('Event')),
      next: said(types.text, 'What to ask by the next time.'),
      missed: said(
        types.flag,
        'Whether there were others since, which are not kept any more, or were those of another process.',
      ),
    }),
    read(state, asked) {
      const found = state.events.since(asked.query('since'));
      if (found !== undefined) return found;
      throw new BadRequestException('since is to be the next of an answer before');
    },
  },
  {
    method: 'GET',
    path: '/errors',
    summary: 'The latest errors, newest first',
    answers: objectOf({ errors: listOf(schema('Error')) }),
    read: ({ sources }) => ({
      errors: sources.errors.getRecentErrors().map(({ error: _thrown, ...told }) => told),
    }),
  },
  {
    method: 'GET',
    path: '/chaos',
    summary: 'The faults that are injected on purpose at the moment',
    answers: objectOf({ rules: listOf(schema('ChaosRule')) }),
    read: ({ sources }) => ({ rules: sources.chaos.list() }),
  },
  {
    method: 'GET',
    path: '/advice',
    summary: 'Which options would have been better, by the calls of the last hour',
    description:
      'What it proposes is what POST /reconfigure takes. It observes from the first time that it is asked, or from the start with the option advisor.',
    answers: objectOf({
      observedMs: types.amount,
      operations: listOf(schema('OperationAdvice')),
      overrides: said(types.anything, 'To follow all of it at once.'),
    }),
    read: ({ sources }) => sources.advisor.report(),
  },
  {
    method: 'GET',
    path: '/fleet',
    summary: 'The instances that the application shares with, and how each of them is',
    answers: objectOf({
      here: said(types.text, 'What this instance is called in the fleet.'),
      up: said(types.flag, 'Whether the others are reached.'),
      size: types.count,
      instances: listOf(schema('Instance')),
    }),
    missing: 'There is no fleet',
    async read({ sources }) {
      const fleet = sources.resilience.fleet();
      if (fleet === undefined) return undefined;
      const { instance: here, isUp: up, size } = fleet;
      return { here, up, size, instances: await fleet.look() };
    },
  },
];

/** All that there are, called or not, and whatever else was called. */
function operationsOf({ sources, operations }: AdminState): object[] {
  const stats = operations.read();
  const described = sources.resilience.describe().map((description) => {
    const { operation } = description;
    const own = stats.get(operation) ?? NO_STATS;
    stats.delete(operation);
    return { ...configured(description), stats: own };
  });
  const others = [...stats].map(([operation, own]) => ({ operation, stages: {}, stats: own }));
  return [...described, ...others];
}

/** What is for programs only is told in words, and what has the name of a secret is not. */
function configured({ stages, ...description }: OperationDescription): object {
  return { ...description, stages: readableCopy(stages) };
}

function policiesOf({ sources }: AdminState): object[] {
  return sources.resilience
    .instances()
    .flatMap(({ stage, section, instances }) =>
      instances.flatMap((view) => policyOf(stage, section, view)),
    );
}

/** Of something else that a test has put in the place of a policy there may be nothing to tell. */
function policyOf(stage: string, section: string, view: InstanceView): object[] {
  const { name, oneOf } = view;
  try {
    const health = view.health();
    const told = { status: health.status, health, snapshot: readableCopy(view.snapshot()) };
    return [{ section, stage, name, ...(oneOf !== undefined && { oneOf }), ...told }];
  } catch {
    return [];
  }
}
