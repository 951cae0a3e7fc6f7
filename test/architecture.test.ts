import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LIB = join(import.meta.dirname, '../lib');
const PAGE = readFileSync(join(LIB, '../docs/project/architecture.md'), 'utf8');

/** One file of the library uses another. Paths are from `lib/`. */
interface Use {
  readonly from: string;
  readonly to: string;
  /** Where it says so: `retry/retry.policy.ts:3`. */
  readonly at: string;
}

/** The rooms as the page tells them, from the ground up: those of a row do not use each other. */
const layers = tableOf('room | what is there').map(([rooms]) => codesIn(rooms));
const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const uses = files.flatMap(usesOf);

function tableOf(heading: string): string[][] {
  const rows = (PAGE.split(`\n| ${heading} |\n`)[1]?.split('\n\n')[0] ?? '').split('\n').slice(1);
  return rows.map((row) => row.split('|').slice(1, -1));
}

function codesIn(text = ''): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);
}

/** The top folder of a file; what lies in none is a room by itself. */
function roomOf(file: string): string {
  return file.split('/')[0] as string;
}

/** What a file imports of the library, be it types alone. */
function usesOf(from: string): Use[] {
  const lines = readFileSync(join(LIB, from), 'utf8').split('\n');
  return lines.flatMap((line, index) =>
    [...line.matchAll(/\b(?:from|import) ?\(?'(\.[^']+)\.js'/g)].map(([, path]) => ({
      from,
      to: `${join(from, '..', path as string)}.ts`,
      at: `${from}:${index + 1}`,
    })),
  );
}

/** A file that comes to use itself, by the lines that lead there; nothing where none does. */
function circle(): string[] {
  const done = new Set<string>();
  const from = (file: string, way: readonly Use[]): string[] => {
    const begun = way.findIndex((use) => use.from === file);
    if (begun >= 0) return way.slice(begun).map(({ at, to }) => `${at} uses ${to}`);
    if (done.has(file)) return [];
    for (const use of uses.filter((each) => each.from === file)) {
      const found = from(use.to, [...way, use]);
      if (found.length > 0) return found;
    }
    done.add(file);
    return [];
  };
  return files.map((file) => from(file, [])).find(({ length }) => length > 0) ?? [];
}

describe('The library', () => {
  it('uses in each room only what is told above it on the page about the architecture', () => {
    const layerOf = (room: string) => layers.findIndex((rooms) => rooms.includes(room));
    const wrong = uses.filter(({ from, to }) => {
      const [room, used] = [roomOf(from), roomOf(to)];
      return room !== used && layerOf(used) >= layerOf(room);
    });
    expect(uses.length).toBeGreaterThan(2_000);
    expect(wrong.map(({ at, to }) => `${at} uses ${to}`)).toEqual([]);
  });

  it('has no circle of files that use each other', () => {
    expect(circle()).toEqual([]);
  });

  it('uses in its sub-paths only what users can', () => {
    const [subPaths = []] = layers.slice(-1);
    const rooms = ['admin', 'dashboard', ...subPaths];
    const others = uses.filter(({ from, to }) => {
      const room = roomOf(from);
      return rooms.includes(room) && room !== roomOf(to);
    });
    const allowed = /^(\w+: index\.ts|dashboard: admin\/.+|testing: bench\.ts)$/;
    expect(others.length).toBeGreaterThan(20);
    expect(others.filter(({ from, to }) => !allowed.test(`${roomOf(from)}: ${to}`))).toEqual([]);
  });
});

describe('The page about the architecture', () => {
  it('has each room of the library, and no other', () => {
    expect(layers.flat().sort()).toEqual([...new Set(files.map(roomOf))].sort());
  });

  it('leads to files that are there', () => {
    const named = [...PAGE.matchAll(/`([a-z-]+\/[\w.-]+\.ts)`/g)].map(([, file]) => file as string);
    expect(named.length).toBeGreaterThan(20);
    const isThere = (file: string) =>
      existsSync(join(LIB, file)) || existsSync(join(LIB, '..', file));
    expect(named.filter((file) => !isThere(file))).toEqual([]);
  });
});
