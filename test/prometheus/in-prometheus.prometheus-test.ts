import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MOMENTS, SCRAPE_INTERVAL_MS, type Scrape, tell } from './shop.support.js';

const lib = join(dirname(fileURLToPath(import.meta.url)), '../../lib/prometheus');
const alerts = join(lib, 'alerts.yml');

/** Of each alert, what it has to be about in the outage; and what it says of the two minutes of trouble. */
const EXPECTED: Record<string, { about: Record<string, string>; ofBlip?: 'fires' }> = {
  ResilienceErrorRatioHigh: { about: { operation: 'Shop.pay' } },
  ResilienceCriticalOperationFailing: { about: { operation: 'Shop.pay' }, ofBlip: 'fires' },
  ResilienceFallbackFailing: { about: { operation: 'Shop.stock' } },
  ResilienceFailuresHidden: { about: { operation: 'Shop.recommend' } },
  ResilienceCircuitBreakerOpen: { about: { breaker: 'payments' } },
  ResilienceCircuitBreakerFlapping: { about: { breaker: 'Shop.flap' } },
  ResilienceRetryBudgetExhausted: { about: { operation: 'Shop.search' } },
  ResilienceRetryAmplification: { about: { operation: 'Shop.browse' } },
  ResilienceTimeouts: { about: { operation: 'Shop.loadAll' } },
  ResilienceBulkheadRejecting: { about: { bulkhead: 'reports' } },
  ResilienceBulkheadSaturated: { about: { bulkhead: 'exports' } },
  ResilienceRateLimitRejecting: { about: { rate_limit: 'maps' } },
  ResilienceRateLimitPaused: { about: { rate_limit: 'partner' } },
  ResilienceFleetUnreachable: { about: { instance: 'a' } },
  ResilienceFleetRefused: { about: { job: 'shop' }, ofBlip: 'fires' },
  ResilienceChaosActive: { about: { operation: 'Shop.chaotic', effect: 'error' }, ofBlip: 'fires' },
  ResilienceShadowWouldReject: { about: { stage: 'bulkhead', name: 'tried' } },
  ResilienceLabelsOverflow: { about: { job: 'shop' } },
};

let scrapes: Scrape[];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'alerts-'));
  scrapes = await tell(Date.now());
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const matchers = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(',');

/** What Prometheus would have of the scrapes: each series with its values, and `_` where it was not there. */
function inputSeries() {
  const bySeries = new Map<string, string[]>();
  scrapes.forEach(({ samples }, index) => {
    for (const { name, labels, value } of samples) {
      if (name.endsWith('_bucket')) continue; // no alert goes by them
      const series = `${name}{${matchers({ job: 'shop', instance: 'a', ...labels })}}`;
      const values = bySeries.get(series) ?? [];
      if (!bySeries.has(series)) bySeries.set(series, values);
      while (values.length < index) values.push('_');
      values.push(String(value));
    }
  });
  return [...bySeries].map(([series, values]) => ({ series, values: values.join(' ') }));
}

/** Runs what a test file of promtool says of the alerts. */
async function promtool(tests: object[]): Promise<string> {
  const file = join(folder, 'tests.json'); // YAML as well
  const test = { interval: `${SCRAPE_INTERVAL_MS / 1_000}s`, input_series: inputSeries() };
  await writeFile(
    file,
    JSON.stringify({
      rule_files: [alerts],
      evaluation_interval: '1m',
      tests: [{ ...test, promql_expr_test: tests }],
    }),
  );
  const run = promisify(execFile)('promtool', ['test', 'rules', file], { maxBuffer: 1e8 });
  return run.then(({ stdout }) => stdout).catch((error) => `${error.stdout}${error.stderr}`);
}

/** What fires at a minute. */
const firing = (minute: number, labels: Record<string, string>, isFiring: boolean) => ({
  expr: `count(ALERTS{${matchers({ alertstate: 'firing', ...labels })}})`,
  eval_time: `${minute}m`,
  exp_samples: isFiring ? [{ labels: '{}', value: 1 }] : [],
});

describe('The alerts', () => {
  it('are rules as Prometheus takes them', async () => {
    const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', alerts]);
    expect(stdout).toContain(`SUCCESS: ${Object.keys(EXPECTED).length} rules found`);
  });

  it('have a section in the runbook each, which says what it means, what to look at and what to do', async () => {
    const book = await readFile(join(lib, 'runbooks.md'), 'utf8');
    const sections = book.split(/^## /m).slice(1);
    expect(sections.map((section) => section.split('\n')[0])).toEqual(Object.keys(EXPECTED));
    const parts = ['What it means', 'What to look at', 'What to do'];
    for (const section of sections)
      for (const part of parts) expect(section).toContain(`**${part}.** `);
    const rules = (await readFile(alerts, 'utf8')).split('- alert: ').slice(1);
    expect(rules).toHaveLength(sections.length);
    for (const rule of rules) {
      const name = rule.split('\n')[0] as string;
      expect(EXPECTED).toHaveProperty(name);
      expect(rule).toContain(`runbook_url: runbooks.md#${name.toLowerCase()}\n`);
      expect(rule).toMatch(/ for: \d+m\n/);
      expect(rule).toMatch(/severity: (critical|warning|info)\n/);
      for (const annotation of ['summary', 'description', 'runbook'])
        expect(rule).toMatch(new RegExp(` ${annotation}: '.+'\n`));
    }
  });

  it('fire by what the exporter says in an outage, and are silent before, after, and of a short trouble', async () => {
    const silent = [MOMENTS.quiet, MOMENTS.afterBlip, MOMENTS.end].flatMap((minute) =>
      Object.keys(EXPECTED).map((alertname) => firing(minute, { alertname }, false)),
    );
    const ofBlip = Object.entries(EXPECTED).map(([alertname, { about, ofBlip: what }]) =>
      firing(MOMENTS.blip + 2, { alertname, ...about }, what === 'fires'),
    );
    const ofOutage = Object.entries(EXPECTED).map(([alertname, { about }]) =>
      firing(MOMENTS.outage - 1, { alertname, ...about }, true),
    );
    const ofWhatIsFine = firing(MOMENTS.outage - 1, { operation: 'Shop.fine' }, false);
    expect(await promtool([...silent, ...ofBlip, ...ofOutage, ofWhatIsFine])).toContain('SUCCESS');
  });
});
