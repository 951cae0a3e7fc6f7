/**
 * A process that has loaded the library and its tests, and tries one change after another. Told of one
 * by a message, it answers whether a test fails by it.
 */

import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
process.env.NODE_ENV = 'test';
const state = { activeMutant: process.argv[2], mutantCoverage: { static: {}, perTest: {} } };
globalThis.__stryker__ = state;
const stray = [];
process.on('uncaughtException', (error) => stray.push(error));
process.on('unhandledRejection', (error) => stray.push(error));
console.log = console.warn = console.error = console.info = () => {};
process.stdout.write = process.stderr.write = () => true;

const { loadTests, runTests } = await import('./suite.mjs');
const tests = await loadTests().catch((error) => {
  process.send({ died: error.stack });
  process.exit(1);
});
const now = performance.now.bind(performance); // tests fake and mock it
const byId = new Map(tests.map((test) => [test.id, test]));
const durations = new Map();

const commands = {
  /** Runs every test once, and tells which changes each has come by. */
  async survey() {
    const failures = [];
    for (const ofFile of byFile(tests)) {
      let startedAt;
      const before = (test) => {
        state.currentTestId = test.id;
        startedAt = now();
      };
      const after = (test) => {
        durations.set(test, now() - startedAt);
        state.currentTestId = undefined;
      };
      let rest = ofFile;
      while (rest.length > 0) {
        const failure = await runTests(rest, { limitOf: () => 30_000, before, after });
        if (failure === undefined) break;
        failures.push(`${nameOf(failure.test)}: ${failure.error?.message ?? failure.error}`);
        tests.splice(tests.indexOf(failure.test), 1); // it cannot tell anything here
        rest = rest.slice(rest.indexOf(failure.test) + 1);
      }
    }
    stray.length = 0;
    return {
      failures,
      coverage: state.mutantCoverage,
      tests: tests.map((test) => ({ id: test.id, file: test.file, ms: durations.get(test) })),
    };
  },

  /** Makes the change, and runs the tests until one fails. */
  async attempt({ id, testIds, limits }) {
    state.activeMutant = id;
    state.hitCount = 0;
    state.hitLimit = 1_000_000;
    const chosen = testIds.flatMap((testId) => byId.get(testId) ?? []);
    for (const ofFile of byFile(chosen)) {
      const failure = await runTests(ofFile, {
        limitOf: (test) => limits[test.id] ?? 10_000,
      });
      state.activeMutant = undefined;
      const killer = failure?.test ?? (stray.length > 0 ? ofFile.at(-1) : undefined);
      const why = failure?.error ?? stray[0];
      stray.length = 0;
      if (killer !== undefined) {
        const again = await runTests([killer], { limitOf: () => 10_000 });
        const isSound = again === undefined && stray.length === 0;
        return {
          killedBy: nameOf(killer),
          why: String(why?.message ?? why).slice(0, 200),
          isSound,
        };
      }
      state.activeMutant = id;
    }
    state.activeMutant = undefined;
    return { isSound: true };
  },
};

/** The tests of each file, in the order in which the files first occur. */
function byFile(chosen) {
  const files = new Map();
  for (const test of chosen) {
    const ofFile = files.get(test.file) ?? [];
    files.set(test.file, ofFile);
    ofFile.push(test);
  }
  return [...files.values()];
}

function nameOf(test) {
  const names = [test.name];
  for (let at = test.parent; at !== undefined; at = at.parent) names.unshift(at.name);
  return names.join(' > ');
}

process.on('message', async ({ command, ...given }) => {
  process.send({ answer: await commands[command](given) });
});
process.send({ ready: tests.length });
