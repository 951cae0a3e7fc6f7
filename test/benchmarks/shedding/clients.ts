import { Agent, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** What requests are of: the path, and the share of all. */
const CLASSES = {
  critical: { path: '/checkout/', share: 0.15 },
  normal: { path: '/items/', share: 0.6 },
  sheddable: { path: '/hints/', share: 0.25 },
} as const;

export type RequestClass = keyof typeof CLASSES | 'probe';

/** How requests of a class fared. */
export interface Outcome {
  sent: number;
  /** 200, in time. */
  served: number;
  /** 503. */
  refused: number;
  /** How long those took that were served, in ms, from when they were due. */
  times: number[];
}

export type Report = Record<RequestClass, Outcome>;

/** After so long a client gives up. */
const PATIENCE_MS = 2_000;
const PROBE_EVERY_MS = 250;

/** As those of a gateway: what finds no connection waits for one, and its time runs. */
const CONNECTIONS = 512;

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** So many requests a second are served where a few clients wait for each answer before they ask again. */
export async function capacity(port: number, seconds: number): Promise<number> {
  const CLIENTS = 16;
  let served = 0;
  const until = performance.now() + seconds * 1_000;
  const client = async () => {
    while (performance.now() < until) if ((await ask(port, '/items/1')) === 200) served++;
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (served / (performance.now() - began)) * 1_000;
}

/**
 * Sends so many requests a second, as a Poisson process, whatever becomes of those before: clients who come
 * on their own do not wait for each other.
 */
export async function offer(port: number, perSecond: number, seconds: number): Promise<Report> {
  const report: Report = {
    critical: nothing(),
    normal: nothing(),
    sheddable: nothing(),
    probe: nothing(),
  };
  const open: Promise<void>[] = [];
  const random = randomFrom(20_261);
  const began = performance.now();
  let dueMs = 0;
  let probeMs = 0;
  let number = 0;
  while (dueMs < seconds * 1_000) {
    const aheadMs = began + dueMs - performance.now();
    if (aheadMs > 1) await pause(aheadMs);
    const kind = drawn(random());
    open.push(send(port, `${CLASSES[kind].path}${++number}`, report[kind], began + dueMs));
    dueMs += (-Math.log(1 - random()) / perSecond) * 1_000;
    if (dueMs < probeMs) continue;
    open.push(send(port, '/health', report.probe, began + dueMs));
    probeMs += PROBE_EVERY_MS;
  }
  await Promise.all(open);
  agent.destroy();
  return report;
}

async function send(port: number, path: string, outcome: Outcome, dueAt: number): Promise<void> {
  outcome.sent++;
  const status = await ask(port, path);
  const tookMs = performance.now() - dueAt;
  if (status === 503) outcome.refused++;
  if (status !== 200 || tookMs > PATIENCE_MS) return;
  outcome.served++;
  outcome.times.push(tookMs);
}

/** @returns the status of the answer; 0 where none came */
function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve(0));
    });
    request.setTimeout(PATIENCE_MS, () => request.destroy());
    request.on('error', () => resolve(0));
  });
}

function drawn(random: number): keyof typeof CLASSES {
  if (random < CLASSES.critical.share) return 'critical';
  return random < CLASSES.critical.share + CLASSES.normal.share ? 'normal' : 'sheddable';
}

function nothing(): Outcome {
  return { sent: 0, served: 0, refused: 0, times: [] };
}

/** The same arrivals each time (mulberry32, public domain). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
