import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Transpiled, transpiled } from '../../support/transpiled.js';

const HARNESS = 'test/fleet/harness';
const PARTS = ['clients', 'messages', 'policies', 'shared-time'];

/** The pods' program, for plain Node. */
export function podProgram(): Promise<Transpiled> {
  return transpiled(`${HARNESS}/pod-program.ts`, ...PARTS.map((part) => `${HARNESS}/${part}.ts`));
}

/** The same of a release whose keys and messages have another form, as it is deployed beside. */
export async function otherRelease(program: Transpiled): Promise<Transpiled> {
  const folder = `${program.folder}-2`;
  await cp(program.folder, folder, { recursive: true });
  const file = join(folder, 'lib/redis/keys.js');
  const text = await readFile(file, 'utf8');
  const changed = text.replace('VERSION = 1', 'VERSION = 2');
  if (changed === text) throw new Error(`There is no version in ${file}`);
  await writeFile(file, changed);
  return {
    folder,
    program: join(folder, relative(program.folder, program.program)),
    remove: () => rm(folder, { recursive: true }),
  };
}
