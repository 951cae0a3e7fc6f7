import { afterEach, beforeEach, describe, it, jest } from '@jest/globals';
import { expectEvenSharesBeside, expectNoMoreThanSlots } from '../support/slots-scene.js';

const RUNS = 500;
const TIMEOUT_MS = 300_000;

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('A bulkhead that instances share, through many histories', () => {
  it(
    'never lets more run than there are slots while they hear of each other, and all slots come back',
    () => expectNoMoreThanSlots(RUNS),
    TIMEOUT_MS,
  );

  it(
    'lets each run no more than its even share beside where they lose each other',
    () => expectEvenSharesBeside(RUNS),
    TIMEOUT_MS,
  );
});
