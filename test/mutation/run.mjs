/**
 * Do the tests notice when the code does something else? Every small change of a file (a condition
 * turned round, a call left out) is made in turn, and the tests that come by it are run until one fails.
 *
 * `npm run test:mutation` tries all folders below, `npm run test:mutation -- lib/retry lib/common/clock.ts`
 * those that are named, `--survivors` lists what no test noticed.
 */

import { fork } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { buildWithChanges } from './changed-code.mjs';
import { isEquivalent } from './equivalent.mjs';

const FOLDERS = [
  'circuit-breaker',
  'retry',
  'bulkhead',
  'rate-limit',
  'timeout',
  'hedge',
  'context',
  'common',
  'pipeline',
  'edge',
  'dispatch',
  'binding',
];

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { survivors: { type: 'boolean' } },
});
process.chdir(root);

const paths = filesOf(positionals.length > 0 ? positionals : FOLDERS.map((it) => `lib/${it}`));
const changes = (await buildWithChanges(paths)).filter((change) => !isEquivalent(change));
const survey = await surveyOf();
const results = await tryAll(changes);
report(results);

function filesOf(names) {
  return names.flatMap((name) =>
    statSync(name).isFile()
      ? [relative(root, join(root, name))]
      : filesOf(readdirSync(name).map((entry) => join(name, entry))),
  );
}

/** A process that knows the tests; it may die or hang, and is then started anew. */
async function start(activeChange) {
  const child = fork(new URL('worker.mjs', import.meta.url), activeChange ? [activeChange] : [], {
    serialization: 'advanced',
    execArgv: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    silent: true,
  });
  const next = (limitMs) =>
    new Promise((resolve) => {
      const done = (message) => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(message);
      };
      const timer = setTimeout(done, limitMs, { late: true });
      child.once('message', done).once('exit', (code) => done({ died: `exit ${code}` }));
    });
  const ready = await next(120_000);
  return {
    ready,
    ask(message, limitMs) {
      const answer = next(limitMs);
      child.send(message);
      return answer;
    },
    stop: () => child.kill('SIGKILL'),
  };
}

/** Which tests come by which changes. */
async function surveyOf() {
  const worker = await start();
  if (!worker.ready.ready)
    throw new Error(`The tests cannot be loaded: ${JSON.stringify(worker.ready)}`);
  const { answer } = await worker.ask({ command: 'survey' }, 900_000);
  worker.stop();
  for (const failure of answer.failures) console.error(`left out, it fails by itself: ${failure}`);
  console.error(`${answer.tests.length} tests, ${changes.length} changes of ${paths.length} files`);
  return answer;
}

async function tryAll(all) {
  const waiting = [...all];
  const results = [];
  const workOff = async () => {
    let worker;
    for (let change = waiting.shift(); change !== undefined; change = waiting.shift()) {
      const tests = testsOf(change);
      let outcome;
      if (tests.length === 0) {
        outcome = isStatic(change) ? await tryAtLoading(change) : { survived: 'no test comes by' };
      } else {
        for (let round = 0; outcome === undefined && round < 3; round++) {
          worker ??= await start();
          const sound = await attempt(worker, change, tests);
          if (!sound.isSound) {
            worker.stop();
            worker = undefined;
          }
          if (sound.isSound || round > 0 || sound.isDead) outcome = sound;
        }
      }
      results.push({ change, ...outcome });
      if (results.length % 100 === 0) console.error(`${results.length} of ${all.length}`);
    }
    worker?.stop();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, workOff));
  return results;
}

async function attempt(worker, { id }, tests) {
  const limits = Object.fromEntries(tests.map(({ id: testId, ms }) => [testId, ms * 5 + 1_000]));
  const totalMs = tests.reduce((sum, { ms }) => sum + ms, 0);
  const message = { command: 'attempt', id, testIds: tests.map((test) => test.id), limits };
  const reply = await worker.ask(message, totalMs * 5 + 15_000);
  if (reply.answer !== undefined) return reply.answer;
  return { killedBy: reply.died ?? 'it hangs', isSound: false, isDead: true };
}

/** What is done once, when the module is loaded, needs a process of its own. */
async function tryAtLoading(change) {
  const worker = await start(change.id);
  try {
    if (!worker.ready.ready) return { killedBy: 'it cannot be loaded' };
    return await attempt(worker, change, inOrder(change, survey.tests));
  } finally {
    worker.stop();
  }
}

function isStatic({ id }) {
  return survey.coverage.static[id] !== undefined;
}

function testsOf(change) {
  const { perTest } = survey.coverage;
  return inOrder(
    change,
    survey.tests.filter(({ id }) => perTest[id]?.[change.id] !== undefined),
  );
}

/** The tests of the same folder are most likely to notice, and short ones tell it soon. */
function inOrder({ fileName }, tests) {
  const folder = dirname(relative('lib', fileName));
  const cost = new Map();
  for (const { file, ms } of tests) cost.set(file, (cost.get(file) ?? 0) + ms);
  const rank = ({ file }) => (file.startsWith(`${folder}/`) ? 0 : 1e9) + cost.get(file);
  return tests.toSorted((a, b) => rank(a) - rank(b));
}

function report(results) {
  const table = new Table({
    head: ['file', 'changes', 'noticed', 'not noticed', 'noticed, %'],
    style: { head: [], border: [], compact: true },
  });
  const rows = paths.map((path) => [
    path,
    results.filter(({ change }) => change.fileName === path),
  ]);
  for (const [path, ofFile] of [...rows, ['all', results]]) {
    const noticed = ofFile.filter(({ killedBy }) => killedBy !== undefined).length;
    const share = ofFile.length === 0 ? 100 : (noticed / ofFile.length) * 100;
    table.push([path, ofFile.length, noticed, ofFile.length - noticed, share.toFixed(1)]);
  }
  if (flags.survivors) for (const result of results) if (!result.killedBy) describe(result);
  console.log(table.toString());
}

/** Where it is, what stands there, and what could stand there instead without a test that fails. */
function describe({ change: { fileName, location, mutatorName, replacement }, survived = '' }) {
  const line = location.start.line + 1;
  const code = readFileSync(fileName, 'utf8').split('\n')[line - 1].trim();
  console.log(`${fileName}:${line}:${location.start.column + 1} ${mutatorName} ${survived}`);
  console.log(`  ${code}\n  -> ${replacement.split('\n')[0]}`);
}
