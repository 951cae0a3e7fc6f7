import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pages, ROOT } from './pages.js';

const LIB = join(ROOT, 'lib');
const text = pages().find(({ name }) => name === 'project/architecture')?.text ?? '';
const rowsOf = (table: string) =>
  (text.split(`\n| ${table} |`)[1]?.split('\n\n')[0] ?? '').split('\n').slice(2);
const codesIn = (cell: string | undefined) =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);

/** What the files of a room import from outside of it: paths from `lib/`. */
function importsOf(room: string): string[] {
  const files = readdirSync(join(LIB, room), { recursive: true, encoding: 'utf8' });
  const paths = files.flatMap((file) =>
    file.endsWith('.ts')
      ? [...readFileSync(join(LIB, room, file), 'utf8').matchAll(/ from '(\.[^']+)'/g)].map(
          ([, path]) => join(room, dirname(file), path as string),
        )
      : [],
  );
  return paths.filter((path) => !path.startsWith(`${room}/`));
}

describe('The page about the architecture', () => {
  it('has each room of the library, and no other', () => {
    const entries = readdirSync(LIB, { withFileTypes: true });
    const rooms = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const told = rowsOf('room | what is there').flatMap((row) => codesIn(row.split('|')[1]));
    expect(told.sort()).toEqual(rooms.sort());
  });

  it('leads to files that are there', () => {
    const named = [...text.matchAll(/`([a-z-]+\/[\w.-]+\.ts)`/g)].map(([, file]) => file as string);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((file) => !existsSync(join(LIB, file)))).toEqual([]);
  });

  it('says rightly that sub-paths use only what users can', () => {
    const subPaths = ['admin', 'dashboard', 'prometheus', 'opentelemetry', 'terminus', 'axios'];
    const others = [...subPaths, 'redis', 'testing'].flatMap((room) =>
      importsOf(room).map((path) => `${room}: ${path}`),
    );
    const allowed = /^(\w+: index\.js|dashboard: admin\/.+|testing: bench\.js)$/;
    expect(others.length).toBeGreaterThan(20);
    expect(others.filter((other) => !allowed.test(other))).toEqual([]);
  });
});
