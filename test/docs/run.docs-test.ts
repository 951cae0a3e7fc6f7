import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { install, runtime, versionOf } from '../benchmarks/packages.js';
import { DOCS, filesOf, pages } from './pages.js';
import { agrees, isRun, runPage, runWithNewest, type Shown } from './run-page.js';

const all = pages();
const run = all.filter(isRun);

// Pages have the timeouts of a user: what comes out of a machine that stands still for longer is another thing.
// Once more, from the start, shows whether that was it.
jest.retryTimes(3, { logErrorsBeforeRetry: true });

/** The Node that the newest releases of the peers run on. */
const NEWER_NODE = 24;

function installedVersion(name: string): string {
  const path = join(DOCS, 'node_modules', name, 'package.json');
  return JSON.parse(readFileSync(path, 'utf8')).version;
}

function expectAgreement(shown: readonly Shown[]): void {
  expect(shown.length).toBeGreaterThan(0);
  for (const one of shown)
    if (!agrees(one))
      expect(`${one.place}:\n${one.printed}`).toBe(`${one.place}:\n${one.expected}`);
}

describe('What the documentation shows', () => {
  it.each(run.map((page) => [page.name, page] as const))(
    'comes out of the programs of %s',
    async (_name, page) => {
      expectAgreement(await runPage(page));
    },
  );

  describe('run with the newest peers', () => {
    beforeAll(install, 600_000); // with versions of Node, where nobody has yet

    it.each(
      all.filter(({ newest }) => newest.length > 0).map((page) => [page.name, page] as const),
    )(
      'comes out of the programs of %s too, and the page names both versions',
      async (_name, page) => {
        expectAgreement(await runWithNewest(page, runtime(NEWER_NODE)));
        const versions = page.newest.flatMap((name) => [installedVersion(name), versionOf(name)]);
        expect(versions.filter((version) => !page.text.includes(version))).toEqual([]);
      },
    );
  });

  it('is run on each page of recipes and of migrations', () => {
    const shown = all.filter(({ name }) => /^(recipes|migrate)\/(?!index$)/.test(name));
    const embeds = (text: string) => /^<<< .*sample-app\/examples\//m.test(text); // which tests of their own start
    expect(
      shown.filter((page) => !isRun(page) && !embeds(page.text)).map(({ name }) => name),
    ).toEqual([]);
  });

  it('can be tried with the files of the page itself', () => {
    const tried = all.filter(({ fences }) => fences.some(({ title }) => title === 'try it'));
    expect(tried.filter((page) => !filesOf(page).has('main.ts')).map(({ name }) => name)).toEqual(
      [],
    );
  });

  it('would be noticed where it was something else', () => {
    const shown = { place: '', expected: 'one\n…\nthree in … ms\n' };
    expect(agrees({ ...shown, printed: 'one\ntwo\ntwo\nthree in 35 ms\n' })).toBe(true);
    expect(agrees({ ...shown, printed: 'one\ntwo\nfour in 35 ms\n' })).toBe(false);
    expect(agrees({ ...shown, printed: 'one\ntwo\nthree in 35 ms\nand more\n' })).toBe(false);
  });
});
