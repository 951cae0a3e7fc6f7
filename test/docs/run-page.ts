import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { installedPath, type Runtime } from '../benchmarks/packages.js';
import { freePort } from '../support/free-port.js';
import { startRabbitMq } from '../support/rabbitmq.js';
import { startRedis } from '../support/redis.js';
import { startKafka } from './kafka.js';
import { startMongoDb } from './mongodb.js';
import { type Page, ROOT } from './pages.js';
import { emitFiles } from './programs.js';

/** The port that pages name. */
const PORT_OF_PAGES = 3000;

/** What a page says that comes out, and what came out. */
export interface Shown {
  readonly place: string;
  readonly expected: string;
  readonly printed: string;
}

interface Started {
  readonly environment: Record<string, string>;
  stop(): Promise<void>;
}

/** By the names that stand behind `needs:`. Each tells programs its address by an environment variable. */
const SERVERS: Record<string, () => Promise<Started>> = {
  redis: async () => {
    const redis = await startRedis();
    const { host, port } = redis.connection;
    return { environment: { REDIS_URL: `redis://${host}:${port}` }, stop: () => redis.stop() };
  },
  rabbitmq: async () => {
    const rabbit = await startRabbitMq();
    return { environment: { RABBITMQ_URL: rabbit.url }, stop: () => rabbit.stop() };
  },
  kafka: async () => {
    const kafka = await startKafka();
    return { environment: { KAFKA_BROKER: kafka.broker }, stop: () => kafka.stop() };
  },
  mongodb: async () => {
    const mongo = await startMongoDb();
    return { environment: { MONGODB_URL: mongo.url }, stop: () => mongo.stop() };
  },
};

/** Whether a page says anywhere what comes out. */
export function isRun({ fences }: Page): boolean {
  return fences.some(({ title }) => title === 'try it' || title?.startsWith('output of '));
}

/**
 * Does what the page tells its reader to do, with the files that it shows.
 *
 * - `` ```text [output of main.ts] ``: the file is run to its end, and prints this.
 * - `` ```bash [try it] ``: while `main.ts` runs, these commands are, and what comes out is the `text` block after them.
 */
export async function runPage(page: Page): Promise<Shown[]> {
  const folder = emitFiles(page);
  const servers: Started[] = [];
  try {
    for (const name of page.needs) {
      const start = SERVERS[name];
      if (start === undefined)
        throw new Error(`docs/${page.name}.md needs "${name}": known are ${Object.keys(SERVERS)}`);
      servers.push(await start());
    }
    const environment = Object.assign({}, ...servers.map((server) => server.environment));
    return [
      ...(await outputs(page, folder, environment)),
      ...(await trials(page, folder, environment)),
    ];
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Runs them again on a newer Node, with the newest release of what the page says so of. */
export async function runWithNewest(page: Page, { executable }: Runtime): Promise<Shown[]> {
  const folder = emitFiles(page);
  mkdirSync(join(folder, 'node_modules'));
  for (const name of page.newest)
    symlinkSync(installedPath(name), join(folder, 'node_modules', name)); // is found before that of the documentation
  return outputs(page, folder, {}, executable);
}

async function outputs(
  page: Page,
  folder: string,
  environment: Record<string, string>,
  node = 'node',
): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const { title, code, line } of page.fences) {
    const [, file] = /^output of (\S+)\.ts$/.exec(title ?? '') ?? [];
    if (file === undefined) continue;
    const PORT = `${await freePort()}`;
    const { printed, code: ended } = await run(node, [join(folder, `${file}.js`)], {
      ...environment,
      PORT,
    });
    const expected = code.replaceAll(`localhost:${PORT_OF_PAGES}`, `localhost:${PORT}`);
    const ending = ended === 0 ? '' : `\n(${file}.ts ended with ${ended})\n`;
    shown.push({ place: `docs/${page.name}.md:${line}`, expected, printed: printed + ending });
  }
  return shown;
}

async function trials(
  page: Page,
  folder: string,
  environment: Record<string, string>,
): Promise<Shown[]> {
  const { fences } = page;
  if (!fences.some(({ title }) => title === 'try it')) return [];
  const port = await freePort();
  const application = spawnOne('node', [join(folder, 'main.js')], {
    ...environment,
    PORT: `${port}`,
  });
  const output = collected(application);
  try {
    await listening(port, application, output);
    const shown: Shown[] = [];
    for (const [index, { title, code, line }] of fences.entries()) {
      if (title !== 'try it') continue;
      const script = `set -e\n${code.replaceAll(`localhost:${PORT_OF_PAGES}`, `localhost:${port}`)}`;
      const { printed, code: ended } = await run('bash', ['-c', script], {});
      const next = fences[index + 1];
      const expected = next?.language === 'text' ? next.code : '';
      const ending =
        ended === 0 ? '' : `\n(ended with ${ended}; the application said:\n${output()})`;
      shown.push({ place: `docs/${page.name}.md:${line}`, expected, printed: printed + ending });
    }
    return shown;
  } finally {
    await kill(application);
  }
}

/** Whether it still runs or not. */
export async function kill(application: ChildProcess): Promise<void> {
  if (hasEnded(application)) return;
  const exit = once(application, 'exit');
  application.kill('SIGKILL');
  await exit;
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) =>
  exitCode !== null || signalCode !== null;

export async function listening(
  port: number,
  application: ChildProcess,
  output: () => string,
): Promise<void> {
  for (;;) {
    if (hasEnded(application)) throw new Error(`main.ts has ended:\n${output()}`);
    const socket = connect(port, 'localhost');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50)); // until it listens
    } finally {
      socket.destroy();
    }
  }
}

export function spawnOne(
  command: string,
  args: string[],
  environment: Record<string, string>,
): ChildProcess {
  const { NODE_OPTIONS: _jest, ...inherited } = process.env;
  const env = { ...inherited, NO_COLOR: '1', ...environment };
  return spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

export function collected(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
  return () => text;
}

async function run(
  command: string,
  args: string[],
  environment: Record<string, string>,
): Promise<{ printed: string; code: number | null }> {
  const child = spawnOne(command, args, environment);
  const output = collected(child);
  const [code] = (await once(child, 'close')) as [number | null];
  return { printed: output(), code };
}

/** Whether it is what the page shows, where `…` stands for anything of a line, and a line of `…` for any lines. */
export function agrees({ expected, printed }: Shown): boolean {
  const pattern = expected
    .trim()
    .split('\n')
    .map((line) =>
      line.trim() === '…' ? '(?:.*\\n)*?.*' : line.trimEnd().split('…').map(escaped).join('.*'),
    )
    .join('\\n');
  const clean = printed.replace(/[ \t]+$/gm, '').trim();
  return new RegExp(`^${pattern}$`).test(clean);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
