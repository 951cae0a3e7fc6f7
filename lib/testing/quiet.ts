import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { nodeSetImmediate } from '../bench.js';

/** So many turns of Node's event loop take the library's promises, and those of code around it, as far as they go. */
const TURNS = 3;

/** And so many turns take what goes to and fro between sockets of this process. */
const TURNS_OF_SOCKETS = 10;

const SOCKET = /^TCP/;

/** Immediates that follow one another all the time, as of a test that polls, are not waited for longer than that. */
const MAX_TURNS = 100;

/** What the system does is waited for so long while nothing comes of it, in real ms, as it may never end. */
const MAX_STILL_MS = 1_000;

/** And what goes on and on, as of a client that asks again at once, is waited for so long. */
const MAX_MS = 5_000;

/** In a turn that took longer the machine had no time for this process, nor for what is waited for. */
const MAX_TURN_MS = 50;

/** What is not there for long: work of the file system, look-ups of hosts, and connections that are being made. */
const ENDS_BY_ITSELF = /Req|TCPConnect/;

/** What has come of the system so far, of files and sockets alike. */
const eventsSoFar = (): number => performance.nodeTiming.uvMetricsInfo.events;

/** The clock and the `fetch` of Node's, also where a test has put a fake in their place later. */
const realNow = performance.now.bind(performance);
const realFetch = globalThis.fetch;

let fetched: Promise<void> | undefined;

/** Waits until all has happened that time is not needed for. */
export async function quiet(): Promise<void> {
  let [wanted, waitedMs, stillMs] = [TURNS, 0, 0];
  for (let still = 0, turns = 0; still < wanted; turns++) {
    const [beganAt, events] = [realNow(), eventsSoFar()];
    await oneTurn();
    const others = process.getActiveResourcesInfo();
    if (others.some((kind) => SOCKET.test(kind))) {
      fetched ??= fetchOnce().catch(() => undefined);
      await fetched;
      wanted = TURNS_OF_SOCKETS;
    }
    const hasHappened = eventsSoFar() > events;
    const turnMs = Math.min(realNow() - beganAt, MAX_TURN_MS);
    waitedMs += turnMs;
    stillMs = hasHappened ? 0 : stillMs + turnMs;
    const isUnderWay = others.some((kind) => ENDS_BY_ITSELF.test(kind)) && stillMs < MAX_STILL_MS;
    const isBusy =
      (turns < MAX_TURNS && others.includes('Immediate')) ||
      ((hasHappened || isUnderWay) && waitedMs < MAX_MS);
    still = isBusy ? 0 : still + 1;
  }
}

/** In one turn of the event loop all promises run that wait for nothing else. */
export function oneTurn(): Promise<void> {
  return new Promise((resolve) => nodeSetImmediate(resolve));
}

/**
 * The first `fetch()` of a process reads no answer before Node has compiled its parser, on a thread of its own, which
 * nothing tells. So that nobody's is the first, one is made to the end.
 */
async function fetchOnce(): Promise<void> {
  const server = createServer((_request, response) => {
    response.writeHead(204, { connection: 'close' }).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await realFetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}
