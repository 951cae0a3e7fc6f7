import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('child.js', import.meta.url));

interface Answer {
  value?: unknown;
  error?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: any function that a module exports
export type Functions = Record<string, any>;

/** The functions of a module, in a process of its own. */
export class Remote<M extends Functions> {
  private constructor(private readonly child: ChildProcess) {}

  static async start<M extends Functions>(
    module: string,
    executable: string,
    flags: string[],
  ): Promise<Remote<M>> {
    const env = { ...process.env, NODE_ENV: 'production' };
    const execArgv = ['--expose-gc', ...flags];
    const child = fork(CHILD, [module], { execPath: executable, execArgv, env });
    const remote = new Remote<M>(child);
    await remote.answer();
    return remote;
  }

  async call<K extends keyof M & string>(
    name: K,
    ...args: Parameters<M[K]>
  ): Promise<Awaited<ReturnType<M[K]>>> {
    const answered = this.answer();
    this.child.send({ name, args });
    return (await answered) as Awaited<ReturnType<M[K]>>;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  private async answer(): Promise<unknown> {
    const over = new AbortController();
    const exit = once(this.child, 'exit', { signal: over.signal }).then(([code]) => {
      throw new Error(`The process that measures has ended, with ${code}`);
    });
    exit.catch(() => undefined); // aborted, when there is an answer
    try {
      const [message] = await Promise.race([once(this.child, 'message'), exit]);
      const { value, error } = message as Answer;
      if (error !== undefined) throw new Error(error);
      return value;
    } finally {
      over.abort();
    }
  }
}
