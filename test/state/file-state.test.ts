import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fileState, ResilienceConfigurationError } from '../../lib/index.js';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'state-'));
  file = join(directory, 'resilience.json');
});
afterEach(() => rm(directory, { recursive: true }));

describe('A file for what was learnt', () => {
  it('gives what was saved last, and nothing before that', async () => {
    expect(await fileState(file).load()).toBeUndefined();
    await fileState(file).save('{"one":1}');
    await fileState(file).save('{"two":2}');
    expect(await fileState(file).load()).toBe('{"two":2}');
    expect(await readdir(directory)).toEqual(['resilience.json']);
  });

  it('can be read by the user of the process alone', async () => {
    await fileState(file).save('{}');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is always one whole document where two write it at the same time', async () => {
    const documents = ['a', 'b'].map((letter) => letter.repeat(100_000));
    const writing = Promise.all(
      documents.map(async (document) => {
        for (let turn = 0; turn < 10; turn++) await fileState(file).save(document);
      }),
    );
    let isWriting = true;
    const written = writing.then(() => (isWriting = false));
    const seen = new Set<unknown>();
    while (isWriting) seen.add(await fileState(file).load());
    await written;
    seen.add(await fileState(file).load());
    expect([undefined, ...documents]).toEqual(expect.arrayContaining([...seen]));
    expect(await readdir(directory)).toEqual(['resilience.json']);
  });

  it('is cleared of what processes left that were killed while they wrote', async () => {
    const [old, fresh, foreign] = ['resilience.json.1.tmp', 'resilience.json.2.tmp', 'other.tmp'];
    const names = [old, fresh, foreign] as string[];
    for (const name of names) await writeFile(join(directory, name), '{"ver');
    for (const name of [old, foreign]) await utimes(join(directory, name as string), 0, 0);
    await fileState(file).load();
    expect((await readdir(directory)).sort()).toEqual([foreign, fresh]);
  });

  it('says which directory is missing', async () => {
    const { load, save } = fileState(join(directory, 'nowhere', 'resilience.json'));
    const message = `the directory ${join(directory, 'nowhere')} is not there`;
    await expect(load()).rejects.toThrow(message);
    await expect(save('{}')).rejects.toThrow(message);
  });

  it('reads nothing else than a file of some size', async () => {
    await mkdir(file);
    await expect(fileState(file).load()).rejects.toThrow(`${file} is no file`);
    await expect(fileState(file).save('{}')).rejects.toThrow();
    expect(await readdir(directory)).toEqual(['resilience.json']);
    await rm(file, { recursive: true });
    await writeFile(file, 'x'.repeat(16_000_001));
    await expect(fileState(file).load()).rejects.toThrow('has 16000001 bytes');
  });

  it('needs a path', () => {
    for (const path of ['', undefined, {}] as string[])
      expect(() => fileState(path)).toThrow(ResilienceConfigurationError);
  });
});
