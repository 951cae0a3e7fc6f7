import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import type { Sample } from './prometheus-text.js';
import { startServer } from './server-process.js';

/** What was scraped at a time, in ms. */
export interface Scrape {
  readonly at: number;
  readonly samples: readonly Sample[];
}

export interface Prometheus {
  /** What its HTTP API answers. @throws where that is an error */
  ask<T>(path: string, parameters?: Record<string, string>): Promise<T>;
  stop(): Promise<void>;
}

export const promtool = (...args: string[]) =>
  promisify(execFile)('promtool', args, { maxBuffer: 100_000_000 });

export const matchers = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(',');

/**
 * A Prometheus of the test's own.
 *
 * @param folder is the test's, for its files
 * @param scrapes what it has scraped before, with the labels of the target
 * @param target what it scrapes each second, as `host:port`
 * @throws where there is no `prometheus`, or it does not start
 */
export async function startPrometheus(
  folder: string,
  scrapes: readonly Scrape[],
  rules: string,
  target: string,
): Promise<Prometheus> {
  const [data, past, config] = ['data', 'past.txt', 'prometheus.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await writeFile(past, openMetricsOf(scrapes));
  await promtool('tsdb', 'create-blocks-from', 'openmetrics', '--quiet', past, data);
  const scraped = { job_name: 'scraped', static_configs: [{ targets: [target] }] };
  const configuration = {
    global: { scrape_interval: '1s' },
    rule_files: [rules],
    scrape_configs: [scraped],
  };
  await writeFile(config, JSON.stringify(configuration)); // YAML as well
  const address = `127.0.0.1:${await freePort()}`;
  const server = await startServer({
    package: '`prometheus`',
    inFolder: () => ({
      command: 'prometheus',
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data}`,
        `--web.listen-address=${address}`,
        '--enable-feature=exemplar-storage',
      ],
    }),
    ready: 'Server is ready to receive web requests',
  });
  return {
    async ask<T>(path: string, parameters: Record<string, string> = {}): Promise<T> {
      const url = `http://${address}/api/v1/${path}?${new URLSearchParams(parameters)}`;
      const answer = (await (await fetch(url)).json()) as { data: T; error?: string };
      if (answer.error !== undefined) throw new Error(`${answer.error}: ${parameters.query}`);
      return answer.data;
    },
    stop: server.stop,
  };
}

function openMetricsOf(scrapes: readonly Scrape[]): string {
  const lines = scrapes.flatMap(({ at, samples }) =>
    samples.map(
      ({ name, labels, value }) =>
        `${name}{${matchers(labels)}} ${value} ${Math.floor(at / 1_000)}`,
    ),
  );
  return `${lines.join('\n')}\n# EOF\n`;
}
