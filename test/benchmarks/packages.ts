import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What is installed for the benchmarks and the migration guides only, out of the library's sight. Scripts of npm run in the project. */
const PACKAGES = pathToFileURL(`${resolve('test/benchmarks/packages')}/`);
const require = createRequire(new URL('package.json', PACKAGES));

/** Installs them where that has not been done since the list of them has changed. */
export function install(): void {
  const cwd = fileURLToPath(PACKAGES);
  const installed = installedPath('.package-lock.json'); // the last thing that npm writes
  const changedAt = statSync(`${cwd}package-lock.json`).mtimeMs;
  if (existsSync(installed) && statSync(installed).mtimeMs >= changedAt) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd, stdio: 'inherit' });
}

/** @typeParam T as much of the package as we use: the types of all are not to be had everywhere */
export async function load<T>(name: string): Promise<T> {
  const module = await import(pathToFileURL(require.resolve(name)).href);
  return module.default ?? module;
}

export function installedPath(path: string): string {
  return fileURLToPath(new URL(`node_modules/${path}`, PACKAGES));
}

export function versionOf(name: string): string {
  return JSON.parse(readFileSync(installedPath(`${name}/package.json`), 'utf8')).version;
}

/** A Node that runs what is measured. */
export interface Runtime {
  executable: string;
  version: string;
  major: number;
}

/** @param major a version among the packages; the running one where it is that, or left out */
export function runtime(major?: number): Runtime {
  const isRunning = major === undefined || major === majorOf(process.version);
  const executable = isRunning ? process.execPath : installedPath(`node${major}/bin/node`);
  const version = execFileSync(executable, ['--version'], { encoding: 'utf8' }).trim();
  return { executable, version, major: majorOf(version) };
}

function majorOf(version: string): number {
  return Number.parseInt(version.slice(1), 10);
}
