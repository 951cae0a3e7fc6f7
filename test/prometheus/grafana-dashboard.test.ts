import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { METRICS } from '../../lib/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import { parsePrometheusText, type Sample } from '../support/prometheus-text.js';

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { expr: string; legendFormat: string; refId: string }[];
}

const path = '../../lib/prometheus/grafana-dashboard.json';
const dashboard = JSON.parse(
  readFileSync(join(dirname(fileURLToPath(import.meta.url)), path), 'utf8'),
) as {
  panels: Panel[];
  templating: { list: { name: string; type: string; query: string | { query: string } }[] };
};

/** Labels that Prometheus adds to what it scrapes. */
const OF_THE_SCRAPE = ['job', 'instance'];
const KEYWORDS = ['by', 'without', 'on', 'ignoring', 'or', 'and', 'unless', 'bool', 'offset'];

/** Part of a query: a metric with its matchers. */
interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

/** What a PromQL query names: metrics with their matchers, and labels to group by. */
function namesIn(expr: string): { selectors: Selector[]; groupedBy: string[] } {
  const selectors: Selector[] = [];
  const withoutSelectors = expr.replace(
    /([a-zA-Z_:][\w:]*)\{([^}]*)\}/g,
    (_, metric: string, inside: string) => {
      const matchers = [...inside.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(
        ([, label = '', operator = '', value = '']) => ({ label, operator, value }),
      );
      expect([inside, matchers.length]).toEqual([inside, inside.split(',').length]);
      selectors.push({ metric, matchers });
      return ' ';
    },
  );
  const groupedBy: string[] = [];
  const rest = withoutSelectors
    .replace(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g, (_, labels: string) => {
      groupedBy.push(...labels.split(',').map((label) => label.trim()));
      return ' ';
    })
    .replace(/\[[^\]]*\]/g, ' ');
  for (const [, name = ''] of rest.matchAll(/\b([a-zA-Z_:][\w:]*)\b(?!\s*\()/g)) {
    if (!KEYWORDS.includes(name)) selectors.push({ metric: name, matchers: [] });
  }
  return { selectors, groupedBy };
}

/** The values of labels that queries ask for. */
const VALUES: Record<string, string[]> = {
  outcome: ['success', 'failure', 'fallback', 'degraded'],
  critical: ['true', 'false'],
};

/** Everything that the library records, exported once. */
async function exportedSamples(): Promise<Sample[]> {
  const prometheus = new PrometheusMetrics();
  for (const [name, { kind, labels }] of Object.entries(METRICS)) {
    const given = labels.find((label) => label in VALUES);
    for (const value of VALUES[given ?? ''] ?? ['x']) {
      const tags = Object.fromEntries(labels.map((each) => [each, each === given ? value : 'x']));
      if (kind === 'counter') prometheus.increment(name, tags);
      else if (kind === 'gauge') prometheus.gauge(name, 1, tags);
      else prometheus.observe(name, 12, tags);
    }
  }
  const families = parsePrometheusText(await prometheus.registry.metrics());
  return [...families.values()].flatMap(({ samples }) => samples);
}

/** What a query names that is not among the samples. */
function missingFrom(samples: Sample[], expr: string, legend = ''): string[] {
  const { selectors, groupedBy } = namesIn(expr);
  const missing: string[] = [];
  const inLegend = [...legend.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label = '']) => label);
  for (const label of inLegend) {
    if (!groupedBy.includes(label)) missing.push(`legend ${label}`);
  }
  for (const { metric, matchers } of selectors) {
    const exported = samples.filter(({ name }) => name === metric);
    if (exported.length === 0) missing.push(metric);
    const known = (label: string) =>
      OF_THE_SCRAPE.includes(label) || exported.every(({ labels }) => label in labels);
    for (const label of [...matchers.map((matcher) => matcher.label), ...groupedBy]) {
      if (exported.length > 0 && !known(label)) missing.push(`${metric}{${label}}`);
    }
    for (const { label, operator, value } of matchers) {
      const values = operator === '=~' ? value.split('|') : [value];
      if (value.startsWith('$') || operator.startsWith('!') || !known(label)) continue;
      for (const wanted of values) {
        if (!exported.some(({ labels }) => labels[label] === wanted))
          missing.push(`${metric}{${label}="${wanted}"}`);
      }
    }
  }
  return missing;
}

describe('The Grafana dashboard', () => {
  const targets = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map((target) => ({ title, ...target })),
  );

  it('queries only metrics, labels and label values that the exporter really exports', async () => {
    const samples = await exportedSamples();
    expect(targets.length).toBeGreaterThan(20);
    for (const { title, expr, legendFormat } of targets) {
      expect(namesIn(expr).selectors).not.toEqual([]);
      expect([title, missingFrom(samples, expr, legendFormat)]).toEqual([title, []]);
    }
  });

  it('shows every metric that the exporter exports', async () => {
    const queried = new Set(
      targets.flatMap(({ expr }) => namesIn(expr).selectors.map(({ metric }) => metric)),
    );
    for (const { name } of await exportedSamples()) {
      if (/_seconds_(sum|count)$/.test(name)) continue;
      expect([...queried]).toContain(name);
    }
  });

  it('offers choices of labels that are exported, and every choice is used', async () => {
    const samples = await exportedSamples();
    const choices = dashboard.templating.list.filter(({ type }) => type === 'query');
    expect(choices.map(({ name }) => name)).toEqual(['job', 'operation']);
    for (const { name, query } of choices) {
      const text = typeof query === 'string' ? query : query.query;
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
      expect([name, missingFrom(samples, selector)]).toEqual([name, []]);
      const [metric] = namesIn(selector).selectors;
      const exported = samples.filter((sample) => sample.name === metric?.metric);
      expect(OF_THE_SCRAPE.includes(label) || exported.every((it) => label in it.labels)).toBe(
        true,
      );
    }
    const variables = ['$datasource', '$job', '$operation', '$__rate_interval'];
    for (const { expr } of targets) {
      expect(expr).toContain('job=~"$job"');
      for (const [variable] of expr.matchAll(/\$\w+/g)) expect(variables).toContain(variable);
    }
  });

  it('takes the rate of counters and of buckets, and never of a gauge', async () => {
    for (const { expr } of targets) {
      const rated = [...expr.matchAll(/\b(?:rate|increase)\((\w+)\{/g)].map(
        ([, name = '']) => name,
      );
      const counters = namesIn(expr)
        .selectors.map(({ metric }) => metric)
        .filter((metric) => /_(total|bucket)$/.test(metric));
      expect([expr, rated]).toEqual([expr, counters]);
    }
  });

  it('has a row for each question, and panels that do not overlap', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual([
      'Overview',
      'Circuit breakers',
      'Bulkheads',
      'Rate limits',
      'Overloaded server',
      'Retries and timeouts',
      'Errors and fallbacks',
      'Fleet',
      'Changed, tried and injected',
    ]);
    const taken = new Set<string>();
    const ids = new Set(dashboard.panels.map(({ id }) => id));
    expect(ids.size).toBe(dashboard.panels.length);
    for (const { title, gridPos, type, description } of dashboard.panels) {
      expect([title, type === 'row' || Boolean(description)]).toEqual([title, true]);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x},${y}`)]).toEqual([title, false]);
          taken.add(`${x},${y}`);
        }
      }
    }
  });

  it.each([
    ['resilience_request_total', ['resilience_request_total']],
    ['sum(resilience_requests_total{operatoin="a"})', ['resilience_requests_total{operatoin}']],
    ['sum by (breaker) (resilience_timeout_total)', ['resilience_timeout_total{breaker}']],
    [
      'rate(resilience_requests_total{outcome=~"failure|failed"}[5m])',
      ['resilience_requests_total{outcome="failed"}'],
    ],
    ['sum(resilience_circuit_state{job=~"$job"}) or vector(0)', []],
  ])('would be caught with the query %s', async (expr, missing) => {
    expect(missingFrom(await exportedSamples(), expr)).toEqual(missing);
  });

  it('would be caught with a legend that the query does not give', async () => {
    const expr = 'sum by (operation) (resilience_timeout_total)';
    expect(missingFrom(await exportedSamples(), expr, '{{breaker}}')).toEqual(['legend breaker']);
  });
});
