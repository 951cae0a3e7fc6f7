import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootSnippets } from './boot-snippets.js';
import { type Page, pages, ROOT, readPage } from './pages.js';
import { programsOf, typeErrors } from './programs.js';

/** What snippets use without showing where it comes from. */
const PRELUDE = `
import { Body, Controller, Get, Injectable, Module, Param, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import * as bulwark from 'nestjs-bulwark';
import { ${[
  'Bulkhead, BulkheadPolicy, Chaos, CircuitBreaker, CircuitBreakerPolicy, CircuitBreakerRegistry, Coalesce',
  'Critical, currentAttempt, currentSignal, detached, ErrorTracker, Fallback, getCircuitBreakerToken, Hedge',
  'InMemoryMetrics, LoggerAlertChannel, NeverShed, RateLimit, Resilience, ResilienceAdvisor, ResilienceEvents',
  'ResilienceModule, ResilienceService, resilientFetch, Retry, Signal, Timeout, TimeoutError, Upstream, WebhookAlerts',
].join(', ')} } from 'nestjs-bulwark';
declare global {
  interface Product { id: string; name: string }
  interface Order { id: string; total: number }
  interface Receipt { orderId: string; state: 'charged' | 'queued' }
  function getJson<T>(path: string, signal?: AbortSignal): Promise<T>;
  function postJson<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>;
}
`;

/** Each page's prelude may declare globals, which must not meet those of another page: so all are modules. */
const errorsOf = (all: readonly Page[]) =>
  typeErrors(all.flatMap((page) => programsOf(page, PRELUDE)));

describe('The TypeScript of the documentation', () => {
  it('compiles, each block of each page, as a user of the package would', () => {
    const all = pages();
    expect(all.flatMap(({ fences }) => fences).length).toBeGreaterThan(1);
    expect(errorsOf(all)).toEqual([]);
  });

  it('boots, each class of each block', () => {
    const readme = readPage('../README', readFileSync(join(ROOT, 'README.md'), 'utf8'));
    const booted = bootSnippets([...pages(), readme], PRELUDE);
    expect(booted.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(booted.filter(({ classes }) => classes > 0).length).toBeGreaterThan(50);
  }, 120_000);

  it('would not boot with a stage that is not for its method', () => {
    const code = '@Injectable()\nclass A {\n  @Hedge(50)\n  async *b() {\n    yield 1;\n  }\n}';
    const page = readPage('wrong', `# Wrong\n\n\`\`\`ts\n${code}\n\`\`\`\n`);
    expect(bootSnippets([page], PRELUDE)).toEqual([
      {
        place: 'docs/wrong.md:3',
        classes: 0,
        error: expect.stringContaining('A.b @Hedge(): is on a method that returns a stream'),
      },
    ]);
  }, 120_000);

  it('would not compile with an option that is misspelt', () => {
    const code = 'export class A {\n  @Retry({ maxAttemps: 4 })\n  async b(): Promise<void> {}\n}';
    const page = readPage('wrong', `# Wrong\n\n\`\`\`ts\n${code}\n\`\`\`\n`);
    expect(errorsOf([page]).join()).toContain('docs/wrong.md:3');
    expect(errorsOf([page]).join()).toContain('maxAttemps');
  });

  it('stands under a name that is compiled', () => {
    const languages = pages().flatMap(({ fences }) => fences.map(({ language }) => language));
    const allowed = [
      'bash',
      'text',
      'ts',
      'json',
      'mermaid',
      'yaml',
      'promql',
      'prisma',
      'proto',
      'java',
      'graphql',
      'html',
    ];
    expect([...new Set(languages)].filter((language) => !allowed.includes(language))).toEqual([]);
  });
});
