/** All tests of the library, of which any can be run, each in its hooks. */

import { readdir } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { CODE } from './changed-code.mjs';
import { collect, jest } from './jest-globals.mjs';

const { setTimeout, clearTimeout } = globalThis; // tests fake them
const { clock } = await import(pathToFileURL(`${CODE}lib/common/clock.js`).href);

/** These read files beside them, or take long and are of the whole. */
const LEFT_OUT = /readme|simulation|grafana|independent-parser|pino/;

/** Every test, with a name of its own: `file > describe > test`. */
export async function loadTests() {
  const tests = [];
  for (const file of (await readdir(`${CODE}test`, { recursive: true })).sort()) {
    if (!file.endsWith('.test.js') || LEFT_OUT.test(file)) continue;
    const group = await collect(file, () => import(pathToFileURL(`${CODE}test/${file}`).href));
    for (const test of testsIn(group)) {
      tests.push(Object.assign(test, { id: `${tests.length}`, file }));
    }
  }
  return tests;
}

function* testsIn(group) {
  for (const child of group.children) {
    if (child.run === undefined) yield* testsIn(child);
    else yield child;
  }
}

/**
 * Runs some tests of one file, in their order.
 *
 * @param options.limitOf how long a test may take, in ms
 * @param options.before called before each test, and `options.after` after it
 * @returns the first failure as `{ test, error }`, after which no other is run; `undefined` where all pass
 */
export async function runTests(tests, { limitOf, before = () => {}, after = () => {} }) {
  clock.followers.clear(); // what tests of other files left waiting is in another process elsewhere
  const entered = []; // groups whose `beforeAll` has run
  let failure;
  const attempt = async (test, run, limitMs = 10_000) => {
    try {
      await within(limitMs, run);
    } catch (error) {
      failure ??= { test, error };
    }
  };
  for (const test of tests) {
    if (failure !== undefined) break;
    const groups = groupsOf(test);
    while (entered.length > 0 && !groups.includes(entered.at(-1))) await leave(entered.pop());
    before(test);
    for (const group of groups) {
      if (entered.includes(group)) continue;
      entered.push(group);
      for (const fn of group.beforeAll) await attempt(test, fn);
    }
    for (const fn of groups.flatMap((group) => group.beforeEach)) await attempt(test, fn);
    if (failure === undefined) await attempt(test, test.run, limitOf(test));
    for (const fn of groups.toReversed().flatMap((group) => group.afterEach))
      await attempt(test, fn);
    after(test);
  }
  while (entered.length > 0) await leave(entered.pop());
  jest.useRealTimers();
  jest.restoreAllMocks();
  return failure;

  async function leave(group) {
    for (const fn of group.afterAll) await attempt(tests.at(-1), fn);
  }
}

function groupsOf(test) {
  const groups = [];
  for (let group = test.parent; group !== undefined; group = group.parent) groups.unshift(group);
  return groups;
}

async function within(limitMs, run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}
