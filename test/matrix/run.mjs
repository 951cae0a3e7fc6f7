/**
 * The packed package in applications of its users: each kind of application is installed and compiled
 * once, by its own TypeScript, and then run by every Node that is supported. What the library knows of
 * the inside of Nest is checked on the Nest of each.
 *
 * `npm run test:matrix` runs all, `npm run test:matrix nest-11` those whose name begins so.
 */

import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { boots, passes, passesInJest, passesInNode, passesInVitest, serves } from './checks.mjs';
import { knowsNest } from './facts.mjs';
import { run } from './processes.mjs';

const NODES = [20, 22, 24, 26];

/** What tests of users run in, by `nestjs-bulwark/testing`. */
const RUNNERS = {
  'jest-esm': passesInJest,
  vitest: passesInVitest,
  'node-test': passesInNode,
};

/** The applications, by what they are installed from. All have the same sources, and so have those of `RUNNERS`. */
const CONSUMERS = {
  'nest-12': { esm: serves, commonjs: serves },
  'nest-11': { commonjs: serves, node16: serves, esm: serves, jest: passes },
  // The oldest peers that are allowed, and none that are optional, beside the oldest axios that
  // `@nestjs/axios` takes. (`@nestjs/core` 12.0.0 cannot be installed: it asks for `@nestjs/common` 11.)
  'nest-12-bare': { esm: boots, commonjs: boots },
  'nest-11-bare': { esm: boots, commonjs: boots },
  // Nest 12 has ES modules only, which Jest cannot load into CommonJS before Node 24.9.
  'testing-nest-12': RUNNERS,
  'testing-nest-11': { ...RUNNERS, 'jest-commonjs': passesInJest },
};

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const rows = [];
const failures = [];

const directory = await mkdtemp(join(tmpdir(), 'nestjs-bulwark-matrix-'));
try {
  await matrix(process.argv[2] ?? '');
} finally {
  await rm(directory, { recursive: true, force: true });
}
report();

async function matrix(prefix) {
  const consumers = Object.keys(CONSUMERS).filter((name) => name.startsWith(prefix));
  if (consumers.length === 0) throw new Error(`No application's name begins with ${prefix}`);
  await cp(join(here, 'consumers'), directory, { recursive: true });
  await cp(join(here, 'runtimes'), join(directory, 'runtimes'), { recursive: true });
  const ready =
    (await step(['the package', 'pack'], pack)) &&
    (await step(['the Nodes', 'install'], () => install('runtimes')));
  if (!ready) return;
  for (const consumer of consumers) {
    const isBare = consumer.endsWith('-bare');
    if (!(await step([consumer, 'install'], () => install(consumer, isBare)))) continue;
    if (!consumer.startsWith('testing-'))
      await step([consumer, 'inside of Nest'], () => knowsNest(join(directory, consumer)));
    for (const [kind, check] of Object.entries(CONSUMERS[consumer])) {
      const application = join(consumer, kind);
      if (!(await step([application, 'compile'], () => compile(application)))) continue;
      for (const version of NODES) {
        const node = join(directory, `runtimes/node_modules/node${version}/bin/node`);
        await step([application, `Node ${version}`], () =>
          check(node, join(directory, application)),
        );
      }
    }
  }
}

async function step(names, action) {
  const begun = performance.now();
  let result = 'ok';
  try {
    await action();
  } catch (error) {
    result = 'failed';
    failures.push({ names, error });
  }
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  rows.push([...names, result, { content: `${seconds} s`, hAlign: 'right' }]);
  console.log(`${names.join(', ')}: ${result}`);
  return result === 'ok';
}

async function pack() {
  await run('npm', ['pack', '--pack-destination', directory], root);
  const packed = (await readdir(directory)).find((name) => name.endsWith('.tgz'));
  await rename(join(directory, packed), join(directory, 'nestjs-bulwark.tgz'));
}

/** As a user does, with peers that do not fit being an error. */
async function install(consumer, isBare = false) {
  const target = join(directory, consumer);
  await run('npm', ['install', '--strict-peer-deps', '--no-audit', '--no-fund'], target);
  if (!isBare) return;
  const { peerDependenciesMeta } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  for (const peer of Object.keys(peerDependenciesMeta)) {
    if (existsSync(join(target, 'node_modules', peer)))
      throw new Error(`${peer} is optional, but it was installed`);
  }
}

async function compile(application) {
  const target = join(directory, application);
  const sources = application.startsWith('testing-') ? 'src-testing' : 'src';
  await cp(join(directory, sources), join(target, 'src'), { recursive: true });
  await run(process.execPath, ['../node_modules/typescript/bin/tsc', '-p', '.'], target);
}

function report() {
  for (const { names, error } of failures) console.log(`\n${names.join(', ')}:\n${error.message}`);
  const table = new Table({
    head: ['application', 'step', 'result', 'duration'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }, // no line between rows
  });
  table.push(...rows);
  console.log(`\n${table}`);
  if (failures.length > 0) process.exitCode = 1;
}
