import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.js';

/** A Redis of the test's own, which keeps nothing. */
export interface Redis {
  readonly connection: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

/** @throws where there is no `redis-server`, or it does not start */
export async function startRedis(): Promise<Redis> {
  const folder = await mkdtemp(join(tmpdir(), 'bulwark-redis-'));
  const connection = { host: '127.0.0.1', port: await freePort() };
  const settings = { bind: connection.host, port: connection.port, dir: folder, save: '' };
  const server = spawn(
    'redis-server',
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ended = new Promise<void>((resolve) => {
    server.once('exit', () => resolve());
    server.once('error', () => resolve());
  });
  const output: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint =
        'The tests of queues need a Redis: install the package `redis-server` (Debian, Ubuntu) or `redis` (others)';
      reject(cause.code === 'ENOENT' ? new Error(hint, { cause }) : cause);
    });
    server.once('exit', () =>
      reject(new Error(`redis-server has not started:\n${output.join('\n')}`)),
    );
    createInterface({ input: server.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      output.push(line);
      if (line.includes('Ready to accept connections')) resolve();
    });
  });
  const stop = async () => {
    server.kill();
    await ended;
    await rm(folder, { recursive: true });
  };
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  return { connection, stop };
}
