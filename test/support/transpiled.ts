import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
const MODULE = { ...options, module: ts.ModuleKind.ESNext };

/** The library and a program of a test as JavaScript, for a process of its own. */
export interface Transpiled {
  readonly folder: string;
  /** Where the program is. */
  readonly program: string;
  remove(): Promise<void>;
}

/**
 * @param program a TypeScript file of a test, from the repository's root
 * @param parts other files that it imports
 */
export async function transpiled(program: string, ...parts: string[]): Promise<Transpiled> {
  const cache = join(ROOT, 'node_modules/.cache'); // from there, packages are found
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'bulwark-'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const names = await readdir(join(ROOT, 'lib'), { recursive: true });
  const sources = names.filter((name) => name.endsWith('.ts')).map((name) => join('lib', name));
  await Promise.all([...sources, program, ...parts].map((source) => emit(source, folder)));
  return {
    folder,
    program: join(folder, program.replace(/\.ts$/, '.js')),
    remove: () => rm(folder, { recursive: true }),
  };
}

async function emit(source: string, folder: string): Promise<void> {
  const text = await readFile(join(ROOT, source), 'utf8');
  const fileName = join(ROOT, source);
  const { outputText } = ts.transpileModule(text, { compilerOptions: MODULE, fileName });
  const target = join(folder, relative(ROOT, fileName).replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, outputText);
}
