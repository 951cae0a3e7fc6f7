import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { examplePages } from './examples.js';
import { DOCS, ROOT } from './pages.js';
import { COMPILER_OPTIONS, programsOf, typeErrors } from './programs.js';

const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** The entry points of the package, as users name them. */
const ENTRIES = Object.keys(MANIFEST.exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => `${MANIFEST.name}${path.slice(1)}`);

/** A user's program that imports all there is, in an editor. */
const FILE = join(DOCS, '.run/types/hover.ts');
const PROGRAM = ENTRIES.map((entry, index) => `import * as entry${index} from '${entry}';`).join(
  '\n',
);
const editor = editorOf(PROGRAM);
const checker = editor.getProgram()?.getTypeChecker() as ts.TypeChecker;

/** What examples use without showing where it comes from. */
const PRELUDE = `
import type { HttpService } from '@nestjs/axios';
import { Get, Inject, type INestApplication } from '@nestjs/common';
import { Metadata } from '@grpc/grpc-js';
import { type ClientProxy, Transport } from '@nestjs/microservices';
import type { HealthCheckService } from '@nestjs/terminus';
import axios from 'axios';
import { Redis } from 'ioredis';
import {
  Bulkhead, BulkheadPolicy, type BulkheadRegistry, type Chaos, CircuitBreaker, CircuitBreakerOpenError,
  CircuitBreakerPolicy, type CircuitBreakerRegistry, Coalesce, Critical, currentAttempt, currentSignal, decoratorOf,
  defineStage, detached, type ErrorTracker, executeThrough, Fallback, fileState, Hedge, InjectBulkhead,
  InjectCircuitBreaker, InjectRateLimit, InMemoryMetrics, NeverShed, outboundCallOptions, outboundHeaders, RateLimit,
  RateLimitPolicy, type RateLimitRegistry, Resilience, type ResilienceAdvisor, type ResilienceEvents, ResilienceModule,
  type ResilienceService, resilientClient, resilientDeserializer, resilientFetch, resilientRequest, Retry, Signal,
  rules, Timeout, TimeoutError, Upstream, validateTimeouts, WebhookAlerts,
} from 'nestjs-bulwark';
import { ResilienceAdminModule } from 'nestjs-bulwark/admin';
import { resilientAxios } from 'nestjs-bulwark/axios';
import { ResilienceDashboardModule } from 'nestjs-bulwark/dashboard';
import { OpenTelemetryMetrics, OpenTelemetryTracer, spanExemplar } from 'nestjs-bulwark/opentelemetry';
import { PrometheusMetrics } from 'nestjs-bulwark/prometheus';
import { RedisFleet } from 'nestjs-bulwark/redis';
import type { ResilienceHealthIndicator } from 'nestjs-bulwark/terminus';
import { expectCalls, ResilienceTestingModule, scriptedUpstream, virtualClock } from 'nestjs-bulwark/testing';
interface Order { id: string }
declare class AdminGuard { canActivate(): boolean }
declare const advisor: ResilienceAdvisor;
declare const app: INestApplication;
declare const breaker: CircuitBreakerPolicy;
declare const breakers: CircuitBreakerRegistry;
declare const bulkhead: BulkheadPolicy;
declare const bulkheads: BulkheadRegistry;
declare const chaos: Chaos;
declare const events: ResilienceEvents;
declare const health: HealthCheckService;
declare const indicator: ResilienceHealthIndicator;
declare const order: Order;
declare const payments: { charge(order: Order): Promise<void> };
declare const rateLimit: RateLimitPolicy;
declare const rateLimits: RateLimitRegistry;
declare const resilience: ResilienceService;
declare const service: { find(query: object, metadata: Metadata, options: object): unknown };
declare const tracker: ErrorTracker;
declare function got(url: string, options: { headers: Record<string, string>; signal: AbortSignal }): Promise<unknown>;
`;

describe('What an editor shows of a public name', () => {
  it.each(ENTRIES)('says what it is, whatever %s exports', (entry) => {
    expect(exportsOf(entry).length).toBeGreaterThan(0);
    expect(
      exportsOf(entry)
        .filter(isSilent)
        .map(({ name }) => name),
    ).toEqual([]);
  });

  it.each(ENTRIES)('says what it is on each signature of the functions of %s', (entry) => {
    const silent = exportsOf(entry).filter((symbol) =>
      typeOf(symbol)
        .getCallSignatures()
        .some((signature) => signature.getDocumentationComment(checker).length === 0),
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it.each(ENTRIES)('says what each option of %s is', (entry) => {
    const options = exportsOf(entry).filter(({ name }) => /(Options|Defaults)$/.test(name));
    const silent = options.flatMap((symbol) =>
      checker
        .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
        .filter(isSilent)
        .map(({ name }) => `${symbol.name}.${name}`),
    );
    expect(silent).toEqual([]);
  });

  it('stands beside the options of a decorator while they are written', () => {
    const program = `import { Retry } from 'nestjs-bulwark';
export class Payments {
  @Retry({ maxAttempts: 4 })
  async charge(): Promise<void> {}
}`;
    const open = editorOf(program);
    expect(hoverAt(open, program.indexOf('Retry({'))).toMatch(/^Repeats a call that failed/);
    expect(hoverAt(open, program.indexOf('maxAttempts'))).toMatch(/^Calls in all/);
  });

  it('has examples that compile as those of the pages do', () => {
    const examples = examplePages();
    expect(examples.length).toBeGreaterThan(20);
    expect(typeErrors(examples.flatMap((page) => programsOf(page, PRELUDE)))).toEqual([]);
  });
});

/** The language service of an editor in which a user has the file open. */
function editorOf(program: string): ts.LanguageService {
  const textOf = (path: string) => (path === FILE ? program : ts.sys.readFile(path));
  return ts.createLanguageService({
    getCompilationSettings: () => COMPILER_OPTIONS,
    getScriptFileNames: () => [FILE],
    getScriptVersion: () => '0',
    getScriptSnapshot: (path) => {
      const text = textOf(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (path) => path === FILE || ts.sys.fileExists(path),
    readFile: textOf,
  });
}

function hoverAt(open: ts.LanguageService, position: number): string {
  const { documentation } = open.getQuickInfoAtPosition(FILE, position) ?? {};
  return ts.displayPartsToString(documentation);
}

/** What an entry point exports, as the editor finds it in the package that was built. */
function exportsOf(entry: string): ts.Symbol[] {
  const source = editor.getProgram()?.getSourceFile(FILE) as ts.SourceFile;
  const statement = source.statements[ENTRIES.indexOf(entry)] as ts.ImportDeclaration;
  const module = checker.getSymbolAtLocation(statement.moduleSpecifier) as ts.Symbol;
  return checker.getExportsOfModule(module).map(declared);
}

/** What a name that is exported again stands for. */
function declared(symbol: ts.Symbol): ts.Symbol {
  return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
}

function typeOf(symbol: ts.Symbol): ts.Type {
  return checker.getTypeOfSymbol(symbol);
}

function isSilent(symbol: ts.Symbol): boolean {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() === '';
}
