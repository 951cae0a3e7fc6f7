import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

/** Where packages of the documentation are found, SWC among them. */
const DOCS = resolve('docs');

interface Swc {
  transformFileSync(file: string, options: object): { code: string };
}

/**
 * Does with a copy of a repository of several packages what `npm install` and the CLI of SWC do.
 *
 * @param source the folder that has `packages` and `.swcrc`
 * @returns the copy
 */
export function buildWorkspace(source: string): string {
  const swc = createRequire(join(DOCS, 'package.json'))('@swc/core') as Swc;
  const folder = join(DOCS, '.run', source);
  rmSync(folder, { recursive: true, force: true });
  cpSync(source, folder, { recursive: true });
  const scope = join(folder, 'node_modules/@shop');
  mkdirSync(scope, { recursive: true });
  for (const name of readdirSync(join(folder, 'packages'))) {
    const inside = join(folder, 'packages', name);
    symlinkSync(inside, join(scope, name));
    mkdirSync(join(inside, 'dist'));
    for (const file of readdirSync(join(inside, 'src'))) {
      const { code } = swc.transformFileSync(join(inside, 'src', file), {
        configFile: join(folder, '.swcrc'),
      });
      writeFileSync(join(inside, 'dist', file.replace(/\.ts$/, '.js')), code);
    }
  }
  return folder;
}
