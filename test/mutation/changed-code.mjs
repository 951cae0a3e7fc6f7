/** The library and its tests as JavaScript. Every change to the chosen files is built in, behind a switch. */

import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Instrumenter } from '@stryker-mutator/instrumenter';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');

/** These hold other things than tests, and the simulation takes long. */
const NO_TESTS = ['benchmarks', 'matrix', 'mutation', 'simulation'];

/** Where nobody else takes the copies for tests or sources of the project. */
const cache = join(root, 'node_modules/.cache/mutation');

/** Where the compiled code lies. */
export const CODE = join(cache, 'code/');

/**
 * @param {string[]} paths of files in `lib`, from the project's root
 * @returns the changes: `{ id, fileName, mutatorName, replacement, location }`, lines counted from 0
 */
export async function buildWithChanges(paths) {
  const source = join(cache, 'source');
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await writeFile(join(cache, 'package.json'), '{ "type": "module" }');
  for (const path of ['lib', ...(await testFolders())]) {
    await cp(join(root, path), join(source, path), { recursive: true });
  }
  const files = await Promise.all(
    paths.map(async (name) => ({
      name,
      mutate: true,
      content: await readFile(join(root, name), 'utf8'),
    })),
  );
  const quiet = { debug() {}, info() {}, warn() {}, isDebugEnabled: () => false };
  const { files: changed, mutants } = await new Instrumenter(quiet).instrument(files, {
    plugins: ['decorators-legacy'],
    excludedMutations: [],
    ignorers: [],
  });
  for (const { name, content } of changed) await writeFile(join(source, name), content);
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', here], { stdio: 'inherit' });
  return mutants;
}

async function testFolders() {
  const names = await readdir(join(root, 'test'));
  return names.filter((name) => !NO_TESTS.includes(name)).map((name) => join('test', name));
}
