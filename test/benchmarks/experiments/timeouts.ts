import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Timeout } from 'nestjs-bulwark';
import { provide } from '../cases/application.js';
import { GOALS } from '../goals.js';
import type { Call } from '../lab/case.js';
import { Samples } from '../lab/figure.js';
import type { Remote } from '../lab/remote.js';
import type { Experiment } from '../report/section.js';

type This = typeof import('./timeouts.js');
type Kind = 'decorated' | 'bare';

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

export async function wave(kind: Kind): Promise<Wave> {
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

export const timeouts: Experiment = {
  title: '10,000 calls that hang into their timeouts at once',
  async measure(lab) {
    const samples = new Samples<string>();
    for (let round = 0; round < lab.effort.rounds; round++) {
      for (const kind of ['bare', 'decorated'] as const) {
        const { lateness, blocking } = await lab.within(import.meta.url, (child: Remote<This>) =>
          child.call('wave', kind),
        );
        samples.add(`${kind} lateness`, lateness);
        samples.add(`${kind} blocking`, blocking);
      }
    }
    const late = (kind: Kind) => samples.figure(`${kind} lateness`, 'ms late');
    const blocked = (kind: Kind) => samples.figure(`${kind} blocking`, 'ms in one turn');
    return [
      { name: '@Timeout: the latest', takes: late('decorated'), goal: GOALS.timeoutLateness },
      { name: '@Timeout: event loop', takes: blocked('decorated'), goal: GOALS.timeoutBlocking },
      { name: 'bare setTimeout: the latest', takes: late('bare') },
      { name: 'bare setTimeout: event loop', takes: blocked('bare') },
    ];
  },
};
