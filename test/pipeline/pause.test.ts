import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Pause } from '../../lib/pipeline/pause.js';

afterEach(() => {
  jest.useRealTimers();
});

function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** How long a pause lasts. */
async function lasting(ms: number): Promise<number> {
  const began = performance.now();
  await new Pause(ms).over;
  return performance.now() - began;
}

describe('A pause', () => {
  it('is never shorter than it was to be, at whatever part of a ms it begins', async () => {
    const pauses: Promise<number>[] = [];
    for (let made = 0; made < 200; made++) {
      pauses.push(lasting(20));
      work(0.02);
    }
    expect(Math.min(...(await Promise.all(pauses)))).toBeGreaterThanOrEqual(20);
  });

  it('ends when a test says that it is over, whatever the clock says', async () => {
    jest.useFakeTimers({ doNotFake: ['performance', 'Date'] });
    const pause = new Pause(60_000);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(await pause.over).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('ends at once when it is stopped, and leaves no timer behind', async () => {
    jest.useFakeTimers();
    const pause = new Pause(60_000);
    pause.stop();
    expect(await pause.over).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
  });
});
