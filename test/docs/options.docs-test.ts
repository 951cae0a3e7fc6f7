import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import ts from 'typescript';
import { ResilienceModule, ResilienceService } from '../../lib/index.js';
import { STAGES } from '../../lib/stages.js';
import { hoversOf } from './hovers.js';
import { pages, ROOT } from './pages.js';
import { COMPILER_OPTIONS } from './programs.js';

/** Of each stage its page, and the exported types whose options its tables list. */
const TABLES: Record<string, { page: string; options: string[] }> = {
  retry: { page: 'policies/retry', options: ['RetryOptions', 'RetryBudgetOptions'] },
  circuitBreaker: {
    page: 'policies/circuit-breaker',
    options: ['CircuitBreakerOptions', 'KeyedOptions'],
  },
  timeout: { page: 'policies/timeout', options: ['TimeoutOptions'] },
  fallback: { page: 'policies/fallback', options: ['FallbackOptions', 'LastGoodOptions'] },
  critical: { page: 'policies/critical', options: [] },
  bulkhead: { page: 'policies/bulkhead', options: ['BulkheadOptions', 'KeyedOptions'] },
  coalesce: { page: 'policies/coalesce', options: ['CoalesceOptions'] },
  hedge: { page: 'policies/hedge', options: ['HedgeOptions'] },
  rateLimit: { page: 'policies/rate-limit', options: ['RateLimitOptions', 'KeyedOptions'] },
  totalTimeout: { page: 'policies/timeout', options: ['TimeoutOptions'] },
};

const ENTRY = join(ROOT, 'lib/index.ts');
const program = ts.createProgram([ENTRY], COMPILER_OPTIONS);
const checker = program.getTypeChecker();
const entry = checker.getSymbolAtLocation(program.getSourceFile(ENTRY) as ts.Node) as ts.Symbol;
const exported = new Map(checker.getExportsOfModule(entry).map((each) => [each.name, each]));

/** The names of all options of a type that the package exports; of a union those of each of its members. */
function optionsOf(name: string): string[] {
  const symbol = checker.getAliasedSymbol(exported.get(name) as ts.Symbol);
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const members = type.isUnion() ? type.types : [type];
  return members.flatMap((member) => checker.getPropertiesOfType(member).map(({ name }) => name));
}

/** What stands in the first column of the tables whose head says that it names options. */
function namedOn(page: string): string[] {
  const text = pages().find(({ name }) => name === page)?.text ?? '';
  const tables = text.match(/^\| option.*\n(?:\|.*\n)+/gm) ?? [];
  return tables
    .flatMap((table) => table.split('\n').slice(2))
    .flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/(?<=`)\w+(?=`)/g)].map(([name]) => name),
    );
}

const unique = (names: readonly string[]) => [...new Set(names)].sort();

describe("A policy's page", () => {
  it.each(Object.entries(TABLES))(
    'tells of each option of %s, and of none that there is not',
    (_stage, { page, options }) => {
      expect(unique(namedOn(page))).toEqual(unique(options.flatMap(optionsOf)));
    },
  );

  it('is there for each stage', () => {
    expect(STAGES.map(({ name }) => name).sort()).toEqual(Object.keys(TABLES).sort());
  });
});

describe('The docstring of an option', () => {
  it('tells the default that is in force where nothing is said', async () => {
    const imports = [ResilienceModule.forRoot({ bootLog: 'none' })];
    const moduleRef = await Test.createTestingModule({ imports }).compile();
    const resilience = moduleRef.get(ResilienceService);
    const protection = { retry: {}, circuitBreaker: {}, bulkhead: {}, rateLimit: { limit: 1 } };
    const held = resilience.pipeline({ name: 'silent', ...protection });
    const [operation] = resilience.describe();
    const stages = operation?.stages;
    const inForce = Object.entries({ ...stages, retryBudget: stages?.retry?.budget });
    const differ = inForce.flatMap(([stage, options]) =>
      Object.entries(options ?? {}).flatMap(([option, value]) => {
        const told = literalDefaultOf(`${capitalized(stage)}Options.${option}`);
        return told === undefined || told === String(value) ? [] : [`${stage}.${option}: ${told}`];
      }),
    );
    expect(differ).toEqual([]);
    expect(inForce).toHaveLength(5);
    held.dispose();
    await moduleRef.close();
  });
});

/** What `@default` says of an option, where that is a number, `true`, `false` or a text. */
function literalDefaultOf(name: string): string | undefined {
  const { tags = [] } = hoversOf('nestjs-bulwark').find((hover) => hover.name === name) ?? {};
  const text = tags.find((tag) => tag.name === 'default')?.text ?? '';
  return /^(?:'(\w+)'|(\d[\d.]*|true|false))(?=$|[,;:])/.exec(text)?.slice(1).find(Boolean);
}

const capitalized = (name: string) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
