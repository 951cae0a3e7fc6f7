import { describe, expect, it } from '@jest/globals';
import type { ServiceOptions } from '../../lib/index.js';
import { Pipeline } from '../../lib/pipeline/pipeline.js';
import { Plan } from '../../lib/pipeline/plan.js';
import { NOBODY, type PipelineObserver } from '../../lib/pipeline/stages.js';
import { booting, Deferred, elapse, flush, never, watch } from '../support/resilience-app.js';

const boot = booting();

const HOOKS = Object.keys(NOBODY) as (keyof PipelineObserver)[];

/** None may throw; here some do, as by a mistake of ours. */
function throwingAt(hooks: readonly string[]): PipelineObserver {
  const fail = () => {
    throw new Error('an observer');
  };
  return { ...NOBODY, ...Object.fromEntries(hooks.map((hook) => [hook, fail])) };
}

const down = () => Promise.reject(new Error('down'));
const retry = { maxAttempts: 2, baseDelayMs: 10, jitter: 'none' } as const;

const PIPELINES: ServiceOptions[] = [
  {},
  { critical: true },
  { critical: false },
  { retry },
  { fallback: () => 'instead' },
  { fallback: down },
  { bulkhead: { maxConcurrent: 1, queueTimeoutMs: 50 } },
  { hedge: { delayMs: 10 } },
  { hedge: { delayMs: 10 }, bulkhead: { maxConcurrent: 1, queueTimeoutMs: 50 } },
];

describe('An observer that throws', () => {
  it.each<[string, readonly string[]]>([
    ['all that it hears of', HOOKS],
    ...HOOKS.map((hook): [string, string[]] => [hook, [hook]]),
  ])('leaves no call unsettled, and none counted as in flight: at %s', async (_, hooks) => {
    const app = await boot();
    const { shutdown } = app.pipeline({}).plan;
    const calls = PIPELINES.flatMap((options) => {
      const { plan } = app.pipeline({ timeoutMs: 100, ...options });
      const pipeline = new Pipeline(new Plan({ ...plan, observer: throwingAt(hooks) }));
      const caller = new AbortController();
      const begun = [
        watch(pipeline.execute(async () => 'answer')),
        watch(pipeline.execute(down)),
        watch(pipeline.execute(never)),
        watch(pipeline.execute(never, { signal: caller.signal })),
      ];
      caller.abort(new Error('the caller'));
      return begun;
    });
    await elapse(500);
    expect(calls.map(({ state }) => state)).not.toContain('pending');
    const work = new Deferred();
    watch(app.pipeline({}).execute(() => work.promise));
    shutdown.begin(1_000);
    const nothingLeft = watch(shutdown.nothingLeft());
    await flush();
    expect(nothingLeft.state).toBe('pending'); // for the one call that is left
    work.resolve('answer');
    await flush();
    expect(nothingLeft.state).toBe('fulfilled');
  });
});
