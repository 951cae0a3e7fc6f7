import { describe, expect, it } from '@jest/globals';
import { booting, elapse, watch } from '../support/resilience-app.js';

const boot = booting();

/** Each call fails once, as when a connection was reset that all of them used. */
function failingOnce(error: Error) {
  let failed = false;
  return async () => {
    if (failed) return 'recovered';
    failed = true;
    throw error;
  };
}

describe('calls that fail together once, under the default budget', () => {
  it.each([30, 50])('recover, where there are %d of them', async (count) => {
    const app = await boot();
    const pipeline = app.pipeline({ name: 'orders', upstream: 'bank', retry: {} });
    const calls = Array.from({ length: count }, () =>
      watch(pipeline.execute(failingOnce(new Error('reset')))),
    );
    await elapse(1_000);
    expect(calls.filter(({ value }) => value === 'recovered')).toHaveLength(count);
  });

  it('fail beyond the burst, and their records say why', async () => {
    const app = await boot();
    const pipeline = app.pipeline({ name: 'orders', upstream: 'bank', retry: {} });
    const calls = Array.from({ length: 60 }, (_, index) =>
      watch(pipeline.execute(failingOnce(new Error(`reset ${index}`)))),
    );
    await elapse(1_000);
    expect(calls.filter(({ value }) => value === 'recovered')).toHaveLength(50);
    const errors = app.tracker.getRecentErrors();
    expect(errors).toHaveLength(10);
    for (const error of errors) expect(error).toMatchObject({ retrySuppressed: 'budget' });
  });
});
