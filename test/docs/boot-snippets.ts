import { spawnSync } from 'node:child_process';
import ts from 'typescript';
import type { Page } from './pages.js';
import { emitSnippet, snippetFolder, writeSnippetFile } from './programs.js';

/** What a snippet's classes come to when an application boots with them. */
export interface Booted {
  readonly place: string;
  /** How many classes it has that Nest would make. */
  readonly classes: number;
  readonly error?: string;
}

/**
 * Runs in a process of its own: imports each snippet, and boots an application with its classes. What they
 * inject is made up, and so is what snippets only declare, as none of it is called.
 */
const BOOT = String.raw`
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { ResilienceTestingModule } from 'nestjs-bulwark/testing';

const madeUp = () => new Proxy(function () {}, {
  get: (target, name) => {
    if (name === Symbol.toPrimitive) return () => 'made up';
    return name === 'then' || typeof name === 'symbol' ? undefined : madeUp();
  },
  apply: () => madeUp(),
  construct: () => ({}),
});
const has = (type, key) => Reflect.hasOwnMetadata(key, type);
const booted = [];
for (const { place, file, declared, declaredClasses } of JSON.parse(process.argv[2])) {
  for (const name of declared) globalThis[name] = declaredClasses.includes(name) ? class {} : madeUp();
  try {
    const classes = Object.values(await import(file)).filter((one) => typeof one === 'function' && /^class /.test(Function.prototype.toString.call(one)));
    const modules = classes.filter((one) => ['imports', 'providers', 'exports', 'controllers'].some((key) => has(one, key)));
    const within = modules.flatMap((one) => ['controllers', 'providers'].flatMap((key) => Reflect.getMetadata(key, one) ?? []));
    const alone = classes.filter((one) => !within.includes(one));
    const controllers = alone.filter((one) => has(one, '__controller__'));
    const providers = alone.filter((one) => has(one, '__injectable__') && !controllers.includes(one));
    const count = modules.length + controllers.length + providers.length;
    if (count > 0) {
      const beside = modules.length > 0 ? ResilienceTestingModule.forApplication() : ResilienceTestingModule.forRoot();
      const module = await Test.createTestingModule({ imports: [beside, ...modules], controllers, providers }).useMocker(madeUp).setLogger(false).compile();
      await module.init();
      await module.close();
    }
    booted.push({ place, classes: count });
  } catch (error) {
    booted.push({ place, classes: 0, error: String(error?.message ?? error) });
  }
}
console.log('\n' + JSON.stringify(booted));
process.exit(0);
`;

/** What is left to others: it would listen, or is for Jest. */
const OTHERS_RUN = /NestFactory\.create|@jest\/globals/;

/** Boots an application of its own with the classes of each TypeScript block that is no file of a program. */
export function bootSnippets(pages: readonly Page[], prelude: string): Booted[] {
  const snippets = pages.flatMap((page) => {
    const blocks = page.fences.filter(({ language, title }) => language === 'ts' && !title);
    return blocks.flatMap(({ code, line }) => {
      const before = code.startsWith('import') ? '' : `${prelude}\n${page.prelude}\n`;
      const whole = `${before}${code}`;
      if (OTHERS_RUN.test(whole)) return [];
      const file = emitSnippet(page, line, exported(whole));
      return [{ place: `docs/${page.name}.md:${line}`, file, ...declaredIn(whole) }];
    });
  });
  const program = writeSnippetFile('boot.js', BOOT);
  const { stdout, stderr } = spawnSync('node', [program, JSON.stringify(snippets)], {
    cwd: snippetFolder(),
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (!last.startsWith('[')) throw new Error(`No snippet was booted: ${stderr}${stdout}`);
  return JSON.parse(last);
}

/** A class with one of these is exported already, or is only declared. */
const ELSEWHERE = [ts.SyntaxKind.ExportKeyword, ts.SyntaxKind.DeclareKeyword];

/** The code, with all its classes exported. */
function exported(code: string): string {
  const source = ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest, true);
  const hidden = source.statements.filter(
    (one): one is ts.ClassDeclaration & { name: ts.Identifier } =>
      ts.isClassDeclaration(one) &&
      one.name !== undefined &&
      !one.modifiers?.some(({ kind }) => ELSEWHERE.includes(kind)),
  );
  const names = hidden.map(({ name }) => name.text);
  return names.length === 0 ? code : `${code}\nexport { ${names.join(', ')} };\n`;
}

/** The names of the values and of the classes that it declares, and does not have. */
function declaredIn(code: string): { declared: string[]; declaredClasses: string[] } {
  const values: string[] = [];
  const classes: string[] = [];
  const look = (node: ts.Node): void => {
    const isAmbient =
      ts.getCombinedModifierFlags(node as ts.Declaration) & ts.ModifierFlags.Ambient;
    if (ts.isFunctionDeclaration(node) && node.body === undefined && node.name !== undefined)
      values.push(node.name.text);
    else if (ts.isVariableDeclaration(node) && isAmbient !== 0 && ts.isIdentifier(node.name))
      values.push(node.name.text);
    else if (ts.isClassDeclaration(node) && isAmbient !== 0 && node.name !== undefined)
      classes.push(node.name.text);
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest, true));
  return { declared: [...values, ...classes], declaredClasses: classes };
}
