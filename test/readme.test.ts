import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, code]) => code as string,
  );

/** What snippets use without showing where it comes from. */
const PRELUDE = `
import { Injectable, Module } from '@nestjs/common';
import { Fallback, resilientFetch, ResilienceModule, Retry, Timeout } from 'nestjs-bulwark';
`;

function program(snippet: string): string {
  return snippet.startsWith('import') ? snippet : `${PRELUDE}\n${snippet}`;
}

/** Type errors of programs that are not on disk, against the library's sources. */
function compile(programs: Map<string, string>): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => programs.has(name) || fileExists(name);
  host.readFile = (name) => programs.get(name) ?? readFile(name);
  host.getSourceFile = (name, version, ...rest) => {
    const text = programs.get(name);
    return text === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, text, version);
  };
  const paths = {
    'nestjs-bulwark': [join(root, 'lib/index.ts')],
    'nestjs-bulwark/*': [join(root, 'lib/*/index.ts')],
  };
  const all = ts.createProgram([...programs.keys()], { ...options, paths, types: ['node'] }, host);
  const problems = [...programs.keys()].flatMap((name) => {
    const file = all.getSourceFile(name);
    return [...all.getSyntacticDiagnostics(file), ...all.getSemanticDiagnostics(file)];
  });
  return [...all.getOptionsDiagnostics(), ...all.getGlobalDiagnostics(), ...problems].map(
    ({ messageText, file, start }) => {
      const line = file?.text.slice(0, start).split('\n').at(-1) ?? '';
      return `${ts.flattenDiagnosticMessageText(messageText, ' ')} (${file?.fileName.split('/').at(-1)}: ${line.trim()} …)`;
    },
  );
}

describe('The README', () => {
  it('has TypeScript snippets that all compile, and a misspelt option would be noticed', () => {
    const snippets = blocks('ts');
    expect(snippets.length).toBeGreaterThan(1);
    const misspelt = 'export class A { @Retry({ maxAttemps: 4 }) async b(): Promise<void> {} }';
    const programs = new Map(
      [...snippets, misspelt].map((snippet, index) => [
        join(root, 'test', `readme-${index}.ts`),
        program(snippet),
      ]),
    );
    expect(compile(programs)).toEqual([expect.stringContaining('maxAttemps')]);
  });

  it('has no TypeScript snippets by another name, which would not be compiled', () => {
    const languages = [...readme.matchAll(/^```(\w+)$/gm)].map(([, language]) => language);
    expect([...new Set(languages)].sort()).toEqual(['bash', 'ts']);
  });

  it('is read in a few minutes, and leads to pages that are there', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(250);
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      ([, path]) => path as string,
    );
    expect(links.length).toBeGreaterThan(30);
    expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('has commands that are scripts of this package', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const commands = blocks('bash').flatMap((block) => block.trim().split(/\n|&&/));
    expect(commands.map((command) => command.trim())).toContain('npm run demo');
    for (const command of commands) {
      const [, script] = /^npm (?:run )?(\S+)$/.exec(command.trim()) ?? [];
      if (script !== undefined && script !== 'ci') expect(Object.keys(scripts)).toContain(script);
    }
  });
});
