import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { text } from '../common/option-rules.js';
import { check } from '../common/options.js';
import type { StateStore } from './state.options.js';
import { MAX_LENGTH } from './state-document.js';

/** A process that wrote one has ended long ago. */
const ABANDONED_MS = 3_600_000;

/**
 * Keeps what an application has learnt in a file, for one that is restarted on the same host.
 *
 * It is written beside and put in its place as a whole, so that a reader finds the document of before or the
 * new one, whatever crashes when, and also where two processes have the same file: then the one that
 * writes last is remembered, so give each a file of its own. Only the user of the process can read it, as keys
 * may say who the callers are.
 *
 * @param path of the file. Its directory has to be there: where it is not, that is logged once, and the
 * application goes on without.
 * @throws ResilienceConfigurationError where the path is no text
 *
 * @example ResilienceModule.forRoot({ state: fileState('/var/lib/shop/resilience.json') })
 */
export function fileState(path: string): StateStore {
  check('fileState(path)', path, text);
  const file = resolve(path);
  const directory = dirname(file);
  const beginning = `${basename(file)}.`;
  return {
    async load(): Promise<string | undefined> {
      await removeAbandoned(directory, beginning);
      try {
        await checkReadable(file);
        return await readFile(file, 'utf8');
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async save(document: string): Promise<void> {
      const beside = join(directory, `${beginning}${randomBytes(8).toString('hex')}.tmp`);
      try {
        await write(beside, document);
        await rename(beside, file);
        await syncDirectory(directory);
      } catch (error) {
        await rm(beside, { force: true }).catch(() => undefined);
        throw isMissing(error) ? missing(directory) : error;
      }
    },
  };
}

/** What is no file may never end, and what is too large is none of ours. */
async function checkReadable(file: string): Promise<void> {
  const found = await stat(file);
  if (!found.isFile()) throw new Error(`${file} is no file`);
  if (found.size > MAX_LENGTH * 4) throw new Error(`${file} has ${found.size} bytes`);
}

/** A new file, which is on the disk before it gets its name. */
async function write(path: string, content: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Some systems cannot; there the name is on the disk a little later. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {}
}

/** Of processes that were killed while they wrote. */
async function removeAbandoned(directory: string, beginning: string): Promise<void> {
  const names = await readdir(directory).catch((error) => {
    throw isMissing(error) ? missing(directory) : error;
  });
  for (const name of names) {
    if (!name.startsWith(beginning) || !name.endsWith('.tmp')) continue;
    const path = join(directory, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { force: true }).catch(() => undefined);
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function missing(directory: string): Error {
  return new Error(
    `the directory ${directory} is not there; make it, and let the process write to it`,
  );
}
