import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A Redis of the demo's own, on a socket in a folder that goes with this process. It keeps nothing. */
export class RedisServer {
  private readonly folder = mkdtempSync(join(tmpdir(), 'bulwark-demo-'));
  readonly url = join(this.folder, 'redis.sock');
  private child: ChildProcess | undefined;

  constructor() {
    process.once('exit', () => {
      this.child?.kill('SIGKILL');
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** @throws where there is no `redis-server`, or it does not start */
  async start(): Promise<void> {
    const options = { port: '0', unixsocket: this.url, dir: this.folder, save: '' };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) =>
        reject(cause.code === 'ENOENT' ? new Error(HOW_TO_GET_IT, { cause }) : cause),
      );
      child.once('exit', () => reject(new Error('redis-server has not started')));
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes('eady to accept connections')) resolve();
      });
    });
  }

  /** It is there, and answers nothing. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  /** Ends it at once, with all that it knew. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
}

const HOW_TO_GET_IT =
  'The demo starts a Redis of its own, and there is no `redis-server` here. Install it by ' +
  '`apt-get install redis-server` (Debian, Ubuntu), `dnf install redis` (Fedora) or `brew install redis` (macOS).';
