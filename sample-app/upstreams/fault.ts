import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export const FAULTS = ['none', 'latency', 'unavailable', 'hang', 'refuse', 'drip'] as const;

/** What can be wrong with an upstream. */
export type Fault = (typeof FAULTS)[number];

const HEALTHY_MS = 10;
const LATENCY_MS = 2_000;
const DRIP_MS = 200;

type Answering = (response: ServerResponse, work: () => unknown) => void | Promise<void>;

/**
 * How a request is answered under each fault. With `latency` and `drip` the work is done and only
 * the answer is late: a caller that gave up cannot know, which is what idempotency keys are for.
 * Under `refuse` the server does not listen; what slipped in before is cut.
 */
export const ANSWERING: Record<Fault, Answering> = {
  none: (response, work) => later(HEALTHY_MS, response, work()),
  latency: (response, work) => later(LATENCY_MS, response, work()),
  unavailable: (response) => send(response, 503, { error: 'Service Unavailable' }),
  hang: () => {},
  refuse: (response) => void response.destroy(),
  drip: (response, work) => drip(response, work()),
};

async function later(ms: number, response: ServerResponse, body: unknown): Promise<void> {
  await sleep(ms, undefined, { ref: false });
  send(response, 200, body);
}

async function drip(response: ServerResponse, body: unknown): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  for (const byte of Buffer.from(JSON.stringify(body))) {
    if (response.destroyed) return;
    response.write(Buffer.of(byte));
    await sleep(DRIP_MS, undefined, { ref: false });
  }
  response.end();
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
