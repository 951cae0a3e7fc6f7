import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS, type ResilienceEvent } from '../../lib/index.js';
import { exportedName } from '../../lib/prometheus/prometheus-metrics.options.js';
import { DOCS, ROOT } from './pages.js';

const page = (name: string) => readFileSync(join(DOCS, `${name}.md`), 'utf8');

/** Which the compiler holds complete. */
const EVENTS: Record<ResilienceEvent['type'], true> = {
  alert: true,
  'bulkhead-rejected': true,
  'changes-ended': true,
  chaos: true,
  'circuit-rejected': true,
  'circuit-state': true,
  coalesced: true,
  degraded: true,
  fallback: true,
  fleet: true,
  hedge: true,
  'rate-limit-paused': true,
  'rate-limited': true,
  'reconfigure-refused': true,
  reconfigured: true,
  retry: true,
  'retry-suppressed': true,
  shed: true,
  timeout: true,
  'total-timeout': true,
  'would-open': true,
  'would-reject': true,
  'would-time-out': true,
};

/** The rows of the table whose first heading is this, each as its cells. */
function rowsOf(text: string, heading: string): string[][] {
  const [, found = ''] = text.split(`\n| ${heading} |`);
  const [body = ''] = found.split('\n\n');
  return body
    .split('\n| ')
    .slice(1) // after the rest of the head
    .map((row) => row.split('|').map((cell) => cell.trim()));
}

const namesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);

describe('The tables of the documentation', () => {
  const telemetry = page('operations/telemetry');

  it('have every event of the library', () => {
    const events = rowsOf(telemetry, 'event').flatMap(([first]) => namesIn(first));
    expect(events.sort()).toEqual(Object.keys(EVENTS).sort());
  });

  it('have every metric, with the name and the labels under which Prometheus has it', () => {
    const told = rowsOf(telemetry, 'metric').map(([recorded, exported, kind, labels = '']) => [
      namesIn(recorded).join(),
      `resilience_${namesIn(exported).join()}`,
      kind?.match(/^\w+/)?.[0],
      labels.replaceAll(/: [^|]*/g, ''), // the values that a label has
    ]);
    const defined = Object.entries(METRICS).map(([name, metric]) => [
      name,
      exportedName(name, metric),
      metric.kind,
      metric.labels.join(', '),
    ]);
    expect(told.sort()).toEqual(defined.sort());
  });

  it('have every alert that Prometheus is given', () => {
    const rules = readFileSync(join(ROOT, 'lib/prometheus/alerts.yml'), 'utf8');
    const alerts = [...rules.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name).sort();
    const told = rowsOf(page('operations/alerts'), 'alert').flatMap(([first]) => namesIn(first));
    expect(alerts.length).toBeGreaterThan(15);
    expect(told.sort()).toEqual(alerts);
  });
});
