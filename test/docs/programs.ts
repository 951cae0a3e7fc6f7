import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { DOCS, filesOf, type Page, ROOT } from './pages.js';
import { generatePrismaClient } from './prisma-client.js';

const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);

/** How the project itself is compiled. */
export const { options: COMPILER_OPTIONS } = ts.convertCompilerOptionsFromJson(
  config.compilerOptions,
  ROOT,
);
const MODULE = { ...COMPILER_OPTIONS, module: ts.ModuleKind.ESNext, noEmit: false };

/** The page's files as JavaScript, in a folder where `nestjs-bulwark` and all packages are found. */
export function emitFiles(page: Page): string {
  const folder = emptyFolder('programs', page.name);
  for (const [name, code] of filesOf(page)) emit(folder, name, code);
  writeOthers(page, folder);
  for (const name of generatePrismaClient(folder))
    emit(folder, name, readFileSync(join(folder, name), 'utf8'));
  return folder;
}

function emit(folder: string, name: string, code: string): void {
  const { outputText } = ts.transpileModule(code, { compilerOptions: MODULE, fileName: name });
  write(join(folder, name.replace(/\.ts$/, '.js')), outputText);
}

/** @returns where the JavaScript of a snippet stands, which is like a file of a program */
export function emitSnippet(page: Page, line: number, code: string): string {
  const name = `${page.name.replaceAll('/', '-')}-${line}`;
  emit(snippetFolder(), `${name}.ts`, code);
  return join(snippetFolder(), `${name}.js`);
}

export function snippetFolder(): string {
  return join(DOCS, '.run/snippets');
}

export function writeSnippetFile(name: string, text: string): string {
  const file = join(snippetFolder(), name);
  write(file, text);
  return file;
}

/** The page's files that are no TypeScript. */
function writeOthers(page: Page, folder: string): void {
  for (const { language, title, code } of page.fences)
    if (title?.includes('.') && !/\s/.test(title) && language !== 'ts')
      write(join(folder, title), code);
}

/** What a TypeScript block is called on the disk, and where it stands in its page. */
export interface Program {
  readonly file: string;
  readonly place: string;
  readonly code: string;
}

/**
 * All TypeScript blocks of a page. One without a name is a file of its own; where it begins by no import, the
 * page's prelude and the names of the library and of Nest stand before it. Of several with one name each is compiled.
 */
export function programsOf(page: Page, prelude: string): Program[] {
  const folder = emptyFolder('types', page.name);
  writeOthers(page, folder);
  generatePrismaClient(folder);
  const blocks = page.fences.filter(({ language }) => language === 'ts');
  return blocks.map(({ title, code, line }, index) => {
    const isLast = !blocks.slice(index + 1).some((later) => later.title === title);
    const name = title !== undefined && isLast ? title : `snippet-${line}.ts`;
    const before =
      title === undefined && !code.startsWith('import') ? `${prelude}\n${page.prelude}\n` : '';
    const file = join(folder, name);
    write(file, `${before}${code}\nexport {};\n`);
    return { file, place: `docs/${page.name}.md:${line}`, code };
  });
}

/** What the compiler says of them, each with its page and line. */
export function typeErrors(programs: readonly Program[]): string[] {
  const folder = join(DOCS, '.run/types');
  const files = programs.map(({ file }) => file);
  write(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../tsconfig.json', files, include: [] }),
  );
  const { stdout } = spawnSync('npx', ['tsc', '-p', folder, '--pretty', 'false'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))
    .map((line) => {
      const [, path = '', row, rest] = /^(.+?)\((\d+),\d+\): (.*)$/.exec(line) ?? [];
      const { place, file } = programs.find((one) => one.file === join(ROOT, path)) ?? {};
      const at = file && readFileSync(file, 'utf8').split('\n')[Number(row) - 1]?.trim();
      return place === undefined ? line : `${place}: ${rest} (at: ${at})`;
    });
}

function emptyFolder(kind: string, page: string): string {
  const folder = join(DOCS, '.run', kind, page);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
