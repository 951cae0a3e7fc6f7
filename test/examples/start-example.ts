import type { ChildProcess } from 'node:child_process';
import { jest } from '@jest/globals';
import { collected, kill, listening, spawnOne } from '../docs/run-page.js';
import { freePort } from '../support/free-port.js';

// Their timeouts are half a second, as a user's are: where the machine stands still for longer, they do what
// they should then. Once more, from the start, shows whether that was it.
jest.retryTimes(3, { logErrorsBeforeRetry: true });

/** How it stands with the service that examples call. */
export interface UpstreamStatus {
  readonly fault: string;
  readonly calls: number;
  readonly charges: number;
}

/** An example that runs, as `npm run example <name>` starts it. */
export interface Example {
  readonly port: number;
  readonly url: string;
  /** What it has written. */
  output(): string;
  /** What is wrong with the service that it calls from now on: a fault, `cut/2`, or nothing new. */
  upstream(fault?: string): Promise<UpstreamStatus>;
  /** As a crash does. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();

/** Ends those that a test has left running. */
export async function killExamples(): Promise<void> {
  await Promise.all([...running].map(kill));
  running.clear();
}

export async function startExample(
  name: string,
  environment: Record<string, string> = {},
): Promise<Example> {
  const [port, switchPort] = [await freePort(), await freePort()];
  const child = spawnOne('node', ['sample-app/dist/examples/run.js', name], {
    ...environment,
    PORT: `${port}`,
    SWITCH_PORT: `${switchPort}`,
  });
  running.add(child);
  const output = collected(child);
  await listening(port, child, output);
  return {
    port,
    url: `http://localhost:${port}`,
    output,
    async upstream(fault = '') {
      const response = await fetch(`http://localhost:${switchPort}/${fault}`);
      return (await response.json()) as UpstreamStatus;
    },
    kill: () => kill(child),
  };
}

/** What an HTTP service answers, by JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** The request that sends `data` as JSON. */
export const post = (data: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(data),
});
