import { afterEach, beforeEach, describe, it, jest } from '@jest/globals';
import { expectLimitOnceAgain, expectOneLimit } from '../support/limits-scene.js';

const RUNS = 30;
/** So long it looks for a shorter example where one fails. */
const TIMEOUT_MS = 120_000;

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('A rate limit that instances share', () => {
  it(
    'lets no more begin in any time than its share of the limit, a burst, and what was let in ahead',
    () => expectOneLimit(RUNS),
    TIMEOUT_MS,
  );

  it(
    'lets no more than once again a burst begin beside where instances lose each other',
    () => expectLimitOnceAgain(RUNS),
    TIMEOUT_MS,
  );
});
