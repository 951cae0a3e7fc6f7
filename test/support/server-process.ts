import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

interface Command {
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
}

/** How a server is started that writes what it does. */
export interface ServerCommand {
  /** What is asked for, where it is not installed. */
  package: string;
  /** It has a folder of its own, which goes with it. */
  inFolder(folder: string): Command;
  /** By a line that has this, it is ready. */
  ready: string;
}

/** A server that a test has started. */
export interface ServerProcess {
  stop(): Promise<void>;
}

export interface SingleServer extends ServerProcess {
  signal(name: NodeJS.Signals): void;
}

/** @throws where it is not installed, or does not start */
export async function startServer(server: ServerCommand): Promise<SingleServer> {
  const folder = await mkdtemp(join(tmpdir(), 'bulwark-server-'));
  const { command, args, env } = server.inFolder(folder);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: true, // a group of its own, with what it starts itself
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const output: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = `These tests need ${command}: install the package ${server.package}`;
      reject(cause.code === 'ENOENT' ? new Error(hint, { cause }) : cause);
    });
    child.once('exit', () =>
      reject(new Error(`${command} has not started:\n${output.join('\n')}`)),
    );
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on('line', (line) => {
        output.push(line);
        if (line.includes(server.ready)) resolve();
      });
  });
  const signal = (name: NodeJS.Signals) => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, name);
  };
  const stop = async () => {
    signal('SIGKILL'); // nothing that it keeps is needed any more
    await ended;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  return { signal, stop };
}
