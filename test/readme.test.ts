import { readFileSync } from 'node:fs';
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
import { Controller, Get, Injectable, mixin, Module, Param, Post } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { expect, test } from '@jest/globals';
import * as bulwark from 'nestjs-bulwark';
import { Bulkhead, Chaos, CircuitBreaker, CircuitBreakerPolicy, CircuitBreakerRegistry, Critical,
  currentAttempt, currentSignal, detached, Fallback, getCircuitBreakerToken, Hedge, RateLimit, resilientFetch, LoggerAlertChannel, NeverShed, Resilience, ResilienceEvents, ResilienceModule,
  ResilienceService, Retry, Signal, Timeout, TimeoutError, Upstream, WebhookAlerts } from 'nestjs-bulwark';
import { Coalesce } from 'nestjs-bulwark';
interface Product { id: string }
interface User { id: string; name: string }
declare class DataSource { query<T>(sql: string, parameters?: unknown[]): Promise<T> }
declare function getJson<T>(path: string, signal: AbortSignal): Promise<T>;
declare function isTester(context: unknown): boolean;
declare function isBusy(error: unknown): boolean;
declare function bestsellersBeside(productId: string): Product[];
declare function currentRequestId(): string;
declare class CheckoutService { pay(): Promise<string> }
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
  it('has TypeScript snippets that all compile', () => {
    const snippets = blocks('ts');
    expect(snippets.length).toBeGreaterThan(10);
    const programs = new Map(
      snippets.map((snippet, index) => [
        join(root, 'test', `readme-${index}.ts`),
        program(snippet),
      ]),
    );
    expect(compile(programs)).toEqual([]);
  });

  it('would notice a snippet with a misspelt option', () => {
    const wrong = program(
      'export class A { @Retry({ maxAttemps: 4 }) async b(): Promise<void> {} }',
    );
    expect(compile(new Map([[join(root, 'test', 'readme-wrong.ts'), wrong]])).join()).toContain(
      'maxAttemps',
    );
  });

  it('has no TypeScript snippets by another name, which would not be compiled', () => {
    const languages = [...readme.matchAll(/^```(\w+)$/gm)].map(([, language]) => language);
    expect([...new Set(languages)].sort()).toEqual(['bash', 'ts']);
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
