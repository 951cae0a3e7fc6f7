import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Timeout } from 'nestjs-bulwark';
import { provide } from '../cases/application.js';
import { GOALS } from '../goals.js';
import type { Call } from '../lab/case.js';
import type { Lab } from '../lab/lab.js';
import { median } from '../lab/rounds.js';
import type { Section } from '../report/section.js';

type This = typeof import('./timeouts.js');

const CALLS = 10_000;
const TIMEOUT_MS = 500;

const hang = () => new Promise<never>(() => undefined);

@Injectable()
class Client {
  @Timeout(TIMEOUT_MS)
  async call(): Promise<never> {
    return hang();
  }
}

/** What a timeout is without a library. */
const bare: Call = () =>
  Promise.race([
    hang(),
    new Promise((_, reject) => {
      setTimeout(() => reject(new Error(`It took more than ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    }),
  ]);

async function decorated(): Promise<Call> {
  const client = await provide(Client, { errorTracker: { log: false } });
  return () => client.call();
}

/** How it went for all the calls at once: the worst of each, in ms. */
export interface Wave {
  lateness: number;
  blocking: number;
}

export async function wave(kind: 'decorated' | 'bare'): Promise<Wave> {
  const call = kind === 'bare' ? bare : await decorated();
  await sendAll(call); // what is timed is warm
  await sleep(100);
  return sendAll(call);
}

async function sendAll(call: Call): Promise<Wave> {
  let pending = CALLS;
  let lateness = 0;
  for (let sent = 0; sent < CALLS; sent++) {
    const dueAt = performance.now() + TIMEOUT_MS;
    const ended = () => {
      pending--;
      lateness = Math.max(lateness, performance.now() - dueAt);
    };
    call().then(ended, ended);
  }
  let blocking = 0;
  for (let turnedAt = performance.now(); pending > 0; ) {
    await new Promise(setImmediate);
    const at = performance.now();
    blocking = Math.max(blocking, at - turnedAt);
    turnedAt = at;
  }
  return { lateness, blocking };
}

async function medianWave(lab: Lab, kind: 'decorated' | 'bare', rounds: number): Promise<Wave> {
  const waves: Wave[] = [];
  for (let round = 0; round < rounds; round++) {
    const child = await lab.start<This>(import.meta.url);
    waves.push(await child.call('wave', kind));
    await child.stop();
  }
  return {
    lateness: median(waves.map((each) => each.lateness)),
    blocking: median(waves.map((each) => each.blocking)),
  };
}

export const timeouts: Section = {
  title: '10,000 calls that hang into their timeouts at once',
  async measure(lab) {
    const rounds = lab.isQuick ? 1 : 7;
    const bareWave = await medianWave(lab, 'bare', rounds);
    const ownWave = await medianWave(lab, 'decorated', rounds);
    const late = 'ms after its time';
    const blocked = 'ms in one turn';
    return [
      {
        name: '@Timeout: the latest',
        value: ownWave.lateness,
        unit: late,
        goal: GOALS.timeoutLateness,
      },
      {
        name: '@Timeout: event loop',
        value: ownWave.blocking,
        unit: blocked,
        goal: GOALS.timeoutBlocking,
      },
      { name: 'bare setTimeout: the latest', value: bareWave.lateness, unit: late },
      { name: 'bare setTimeout: event loop', value: bareWave.blocking, unit: blocked },
    ];
  },
};
