/// <reference lib="dom" />
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ResilienceEvents } from '../../lib/index.js';
import { DashboardApp } from './support.js';
import { Visit } from './visit.js';

let server: Server;
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

/** A partner over HTTP that is down, until it is up. */
async function partner() {
  const state = { isUp: false };
  server = createServer((_request, response) => {
    response.writeHead(state.isUp ? 200 : 503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const call = async ({ signal }: { signal: AbortSignal }) => {
    const { status } = await fetch(`http://127.0.0.1:${port}`, { signal });
    if (status !== 200) throw new Error(`the bank answered ${status}`);
  };
  return { state, call };
}

describe('The story of an outage in a browser', () => {
  it('is one entry, from what opened the breaker to its recovery, also for who came later', async () => {
    const { state, call } = await partner();
    const app = await DashboardApp.start(
      { public: true },
      { resilience: { breakers: { bank: { failureThreshold: 3, timeoutMs: 50 } } } },
    );
    const pay = app.resilience.pipeline({ name: 'Bank.pay', circuitBreaker: 'bank' });
    const events = app.app.get(ResilienceEvents);
    const states: string[] = [];
    let rejected = 0;
    events.events$.subscribe((event) => {
      if (event.type === 'circuit-state') states.push(event.to);
      if (event.type === 'circuit-rejected') rejected++;
    });
    const payOnce = async () => {
      await pay.execute(call).catch(() => undefined);
      await setImmediate(); // what rejects takes no turn of its own
    };
    while (states.length < 3 || rejected === 0) await payOnce();

    const visit = await Visit.to(app); // after it has begun
    const { page } = visit;
    const story = page.locator('#transitions').getByRole('listitem');
    expect(await story.count()).toBe(1);
    expect(await story.innerText()).toMatch(
      /^bank\s+since [\d:]+\s+● Closed\s+→\s+▲ Open\s+too many failures, 3 of 3 \(100 %\)\s+Error: the bank answered 503\s+opened again/,
    );
    state.isUp = true;
    while (states.at(-1) !== 'CLOSED') await payOnce();
    await story.getByText('recovered').waitFor();
    expect(await story.innerText()).toMatch(
      /opened again (once|\d+ times), by Error: the bank answered 503\s+\d+ probes: \d+ failed\s+[\d,]+ calls? rejected meanwhile\s+[\d:]+ recovered: the probes succeeded, after \d+ (s|min)/,
    );
    expect(await page.getByRole('status').textContent()).toContain('bank is now closed');
    expect(visit.complaints).toEqual([]);
  });
});
