import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CircuitState } from 'nestjs-bulwark';
import type { UpstreamUrls } from '../../upstreams/upstreams.js';

const PROGRAM = fileURLToPath(new URL('./instance.js', import.meta.url));

/** What an instance tells of itself. */
export type InstanceMessage =
  | { readonly type: 'ready'; readonly url: string }
  /** Its breaker of payments has changed. */
  | { readonly type: 'state'; readonly state: CircuitState; readonly at: number }
  /** It has sent a probe to payments. */
  | { readonly type: 'probe'; readonly at: number };

/** One instance of the shop, in a process of its own. */
export class InstanceProcess {
  state = 'CLOSED';
  /** When its breaker of payments was opened, in the time of all processes. */
  readonly openings: number[] = [];
  probes = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {
    child.on('message', (message: InstanceMessage) => this.hear(message));
  }

  static async start(urls: UpstreamUrls, redis?: string): Promise<InstanceProcess> {
    const child = fork(PROGRAM, {
      env: { ...process.env, UPSTREAMS: JSON.stringify(urls), REDIS_URL: redis },
    });
    const { url } = await ready(child);
    return new InstanceProcess(child, url);
  }

  /** @throws where it has to be ended by force */
  async close(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.send('close');
    const [code] = await exit;
    if (code !== 0) throw new Error(`An instance of the shop ended with ${code}`);
  }

  private hear(message: InstanceMessage): void {
    if (message.type === 'probe') this.probes++;
    if (message.type !== 'state') return;
    this.state = message.state;
    if (message.state === 'OPEN') this.openings.push(message.at);
  }
}

function ready(child: ChildProcess): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`An instance of the shop ended with ${code}`)));
  });
}
