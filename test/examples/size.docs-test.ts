import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../docs/pages.js';

const FOLDER = join(ROOT, 'sample-app/examples');
const examples = readdirSync(FOLDER, { withFileTypes: true }).filter((one) => one.isDirectory());

/** Lines that are neither empty nor a comment, of files that are no configuration. */
function linesOfCode(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|proto)$/.test(entry.name))
    .flatMap((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8').split('\n'))
    .filter((line) => line.trim() !== '' && !/^\s*(\/\*|\*|\/\/)/.test(line)).length;
}

describe('An example', () => {
  it.each(examples.map(({ name }) => name))('is small enough to be copied: %s', (name) => {
    expect(linesOfCode(join(FOLDER, name))).toBeGreaterThan(0);
    expect(linesOfCode(join(FOLDER, name))).toBeLessThan(80);
  });
});
