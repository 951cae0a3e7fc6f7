import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
const MODULE = { ...options, module: ts.ModuleKind.ESNext };

/** A program of a test, and what it imports of the library, as JavaScript for a process of its own. */
export interface Transpiled {
  readonly folder: string;
  /** Where the program is. */
  readonly program: string;
  remove(): Promise<void>;
}

/**
 * @param program a TypeScript file of a test, from the repository's root
 * @param others more such files that have to be there
 */
export async function transpiled(program: string, ...others: string[]): Promise<Transpiled> {
  const cache = join(ROOT, 'node_modules/.cache'); // from there, packages are found
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'bulwark-'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const emitted = new Set<string>();
  await Promise.all([program, ...others].map((source) => emit(source, folder, emitted)));
  return {
    folder,
    program: join(folder, program.replace(/\.ts$/, '.js')),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Emits a file, and all that it imports. */
async function emit(source: string, folder: string, emitted: Set<string>): Promise<void> {
  if (emitted.has(source)) return;
  emitted.add(source);
  const fileName = join(ROOT, source);
  const text = await readFile(fileName, 'utf8');
  const { outputText } = ts.transpileModule(text, { compilerOptions: MODULE, fileName });
  const target = join(folder, source.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, outputText);
  const imported = ts
    .preProcessFile(text)
    .importedFiles.filter(({ fileName }) => /^\..*\.js$/.test(fileName))
    .map(({ fileName }) => join(dirname(source), fileName.replace(/\.js$/, '.ts')));
  await Promise.all(imported.map((each) => emit(each, folder, emitted)));
}
