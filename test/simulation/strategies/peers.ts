import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const PACKAGES = resolve('test/benchmarks/packages');

/** Loads one of the packages that are compared with, which are installed apart from the library's own. */
export async function loadPeer<T>(name: string): Promise<T> {
  let path: string;
  try {
    path = createRequire(resolve(PACKAGES, 'package.json')).resolve(name);
  } catch (cause) {
    const hint = `${name} is not installed: npm ci --prefix test/benchmarks/packages`;
    throw new Error(hint, { cause });
  }
  return (await import(pathToFileURL(path).href)) as T;
}
