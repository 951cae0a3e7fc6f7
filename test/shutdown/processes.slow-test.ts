import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Transpiled, transpiled } from '../support/transpiled.js';

let built: Transpiled;

beforeAll(async () => {
  built = await transpiled('test/shutdown/closing-app.ts');
});
afterAll(() => built.remove());

/** An application in a process of its own. */
class Running {
  private output = '';
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown[]>;

  constructor(name: string) {
    this.child = spawn(process.execPath, [built.program, name], { stdio: 'pipe' });
    this.ended = once(this.child, 'close');
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** @returns the first group of what it says */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found[1] ?? found[0];
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`It ended without saying ${pattern}:\n${this.output}`);
      await Promise.race([once(this.child.stdout as NodeJS.ReadableStream, 'data'), this.ended]);
    }
  }

  terminate(): void {
    this.child.kill('SIGTERM');
  }

  /** @returns its exit code, or the signal that ended it */
  async end(): Promise<unknown> {
    const [code, signal] = await this.ended;
    return code ?? signal;
  }
}

describe.each(['express', 'fastify'])('A process with %s that gets SIGTERM', (adapter) => {
  it('answers the request that was backing off, and lets a hook send what waits for a slot', async () => {
    const running = new Running(adapter);
    const url = await running.says(/listening at (.+)/);
    const answer = fetch(`${url}/quotes`, { headers: { connection: 'close' } });
    await running.says(/failed once/);
    running.terminate();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ run: 2, isClosing: true });
    expect(await running.says(/\d of 5 sent/)).toBe('5 of 5 sent');
    expect(await running.end()).toBe('SIGTERM');
  });
});

describe('A process whose application has closed', () => {
  it('ends although a call hangs under a timeout of a minute', async () => {
    const running = new Running('hanging');
    expect(await running.end()).toBe(0);
    expect(await running.says(/closed|never/)).toBe('closed');
  });
});

describe('A process in which nothing else is left than its fleet', () => {
  it('ends when that has been left, and the application is closed', async () => {
    const running = new Running('leaving');
    expect(await running.end()).toBe(0);
    expect(await running.says(/closed|never/)).toBe('closed');
  });
});

describe('A process in which nothing is left but a call that waits for slots of its fleet', () => {
  it('waits for them', async () => {
    const running = new Running('queued');
    expect(await running.says(/answered/)).toBe('answered');
    expect(await running.end()).toBe(0);
  });
});

describe('A process in which nothing is left but calls under a timeout', () => {
  it('waits for the timeouts, and then ends', async () => {
    const running = new Running('waiting');
    expect(await running.says(/TimeoutError 2/)).toBe('TimeoutError 2');
    expect(await running.end()).toBe(0);
  });
});
