import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Controller, Get } from '@nestjs/common';
import { Critical } from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from '../edge/adapters.support.js';

afterEach(closeAll);

const WORK_MS = 10;
const LOAD = 3;
const SECONDS = 6;

/** A share that is served before the server is found to be late, of all alike. */
const SERVED_BEFORE = 0.05;

/** Keeps the event loop to itself, after it has waited for somebody else. */
async function work(): Promise<string> {
  await pause(2);
  const until = performance.now() + WORK_MS;
  while (performance.now() < until);
  return 'done';
}

@Controller()
class Shop {
  @Critical()
  @Get('checkout/:id')
  checkout(): Promise<string> {
    return work();
  }
  @Get('items/:id')
  item(): Promise<string> {
    return work();
  }
  @Critical(false)
  @Get('hints/:id')
  hints(): Promise<string> {
    return work();
  }
  @Get('health')
  health(): string {
    return 'ok';
  }
}

/** Clients with an event loop of their own, who do not wait for each other: of twenty, three are critical. */
const CLIENTS = `
const { parentPort, workerData: { port, everyMs, seconds } } = require('node:worker_threads');
const { Agent, get } = require('node:http');
const agent = new Agent({ keepAlive: true, maxSockets: 512 });
const answers = {};
let open = 0, sent = 0, over = false;
const send = (path) => {
  open++;
  const request = get({ host: '127.0.0.1', port, agent, path: '/' + path + '/1' }, (response) => {
    response.resume().on('end', () => count(response.statusCode));
  });
  request.on('error', () => count(0));
  const count = (status) => {
    const of = (answers[path] ??= {});
    of[status] = (of[status] ?? 0) + 1;
    if (--open === 0 && over) finish();
  };
};
const finish = () => { agent.destroy(); parentPort.postMessage(answers); };
const began = performance.now();
const timer = setInterval(() => {
  const due = Math.min((performance.now() - began) / everyMs, seconds * 1000 / everyMs);
  for (; sent < due; sent++) {
    send(sent % 7 === 0 ? 'checkout' : sent % 4 === 1 ? 'hints' : 'items');
    if (sent % 50 === 0) send('health');
  }
  if (performance.now() - began < seconds * 1000) return;
  clearInterval(timer);
  over = true;
}, 5);
`;

type Answers = Record<'checkout' | 'items' | 'hints' | 'health', Record<number, number>>;

function shareOf(answers: Record<number, number>, status: number): number {
  const all = Object.values(answers).reduce((sum, each) => sum + each, 0);
  return (answers[status] ?? 0) / all;
}

describe.each([EXPRESS, FASTIFY])(
  'A server on $name to which three times as much comes as it can serve',
  (platform) => {
    it('serves what is critical, refuses what is sheddable, and answers its probes', async () => {
      const { app } = await listen(
        platform,
        { controllers: [Shop] },
        { inbound: { shedding: { maxEventLoopDelayMs: 100 } } },
      );
      const { port } = app.getHttpServer().address() as AddressInfo;
      const workerData = { port, everyMs: WORK_MS / LOAD, seconds: SECONDS };
      const clients = new Worker(CLIENTS, { eval: true, workerData });
      const [answers] = (await once(clients, 'message')) as [Answers];
      await clients.terminate();
      expect(answers.health[503]).toBeUndefined();
      const refused = (path: keyof Answers) => shareOf(answers[path], 503);
      // How much is refused goes by what others leave of the machine, and what matters least goes first on any.
      expect(refused('checkout')).toBeLessThan(refused('items'));
      expect(refused('hints')).toBeGreaterThan(refused('items') - SERVED_BEFORE);
      expect(shareOf(answers.items, 200)).toBeGreaterThan(0); // they get what is left
    });
  },
);
