/**
 * What tests import from `@jest/globals`, without Jest around it: the tests of all files become one tree,
 * of which any can be run again and again in one process.
 */

import { ModernFakeTimers } from '@jest/fake-timers';
import { expect } from 'expect';
import { bind } from 'jest-each';
import { ModuleMocker } from 'jest-mock';

/** A `describe`, or a file: with its hooks, and what is inside, tests and others of its kind. */
const group = (name, parent) => ({
  name,
  parent,
  children: [],
  beforeAll: [],
  beforeEach: [],
  afterEach: [],
  afterAll: [],
});

let current = group('', undefined);

/** Collects the tests that `load` declares, as one group. */
export async function collect(name, load) {
  current = group(name, undefined);
  await load();
  return current;
}

export const describe = Object.assign(declareGroup, { each: bind(declareGroup, false), skip() {} });
function declareGroup(name, declare) {
  const outer = current;
  current = group(name, outer);
  outer.children.push(current);
  declare();
  current = outer;
}

export const it = Object.assign(declareTest, { each: bind(declareTest, false), skip() {} });
export const test = it;
function declareTest(name, run) {
  current.children.push({ name, run, parent: current });
}

const hook = (kind) => (run) => {
  current[kind].push(run);
};
export const beforeAll = hook('beforeAll');
export const beforeEach = hook('beforeEach');
export const afterEach = hook('afterEach');
export const afterAll = hook('afterAll');

const mocker = new ModuleMocker(globalThis);
const timers = new ModernFakeTimers({
  global: globalThis,
  config: { rootDir: process.cwd(), fakeTimers: {} },
});

export const jest = {
  fn: (implementation) => mocker.fn(implementation),
  spyOn: (...what) => mocker.spyOn(...what),
  mocked: (mock) => mock,
  restoreAllMocks: () => mocker.restoreAllMocks(),
  clearAllMocks: () => mocker.clearAllMocks(),
  resetAllMocks: () => mocker.resetAllMocks(),
  useFakeTimers: ({ doNotFake = [], ...options } = {}) =>
    // Node itself calls this one, which Jest keeps from it by a `process` of its own.
    timers.useFakeTimers({ ...options, doNotFake: [...doNotFake, 'nextTick'] }),
  useRealTimers: () => timers.useRealTimers(),
  setTimeout: () => undefined,
  getTimerCount: () => timers.getTimerCount(),
  getRealSystemTime: () => timers.getRealSystemTime(),
  setSystemTime: (time) => timers.setSystemTime(time),
  now: () => timers.now(),
  clearAllTimers: () => timers.clearAllTimers(),
  runAllTimers: () => timers.runAllTimers(),
  runAllTimersAsync: () => timers.runAllTimersAsync(),
  runAllTicks: () => timers.runAllTicks(),
  runOnlyPendingTimers: () => timers.runOnlyPendingTimers(),
  runOnlyPendingTimersAsync: () => timers.runOnlyPendingTimersAsync(),
  advanceTimersByTime: (ms) => timers.advanceTimersByTime(ms),
  advanceTimersByTimeAsync: (ms) => timers.advanceTimersByTimeAsync(ms),
  advanceTimersToNextTimer: (steps) => timers.advanceTimersToNextTimer(steps),
  advanceTimersToNextTimerAsync: (steps) => timers.advanceTimersToNextTimerAsync(steps),
};

export { expect };

/** Some tests use them without an import. */
Object.assign(globalThis, {
  describe,
  it,
  test,
  beforeAll,
  beforeEach,
  afterEach,
  afterAll,
  expect,
});
