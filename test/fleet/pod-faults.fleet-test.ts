import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../support/free-port.js';
import { type Redis, startRedis } from '../support/redis.js';
import type { Transpiled } from '../support/transpiled.js';
import { Crowd } from './harness/crowd.js';
import { eventually } from './harness/eventually.js';
import { LOADS, type PodSetup } from './harness/messages.js';
import { Pod } from './harness/pod.js';
import { POLICIES } from './harness/policies.js';
import { otherRelease, podProgram } from './harness/program.js';
import { tell } from './harness/redis-admin.js';
import { examine } from './harness/strike.js';

const HOUR_MS = 3_600_000;

/** Of two, the wall clock is wrong; one has other options. */
const SPECIALS: Partial<PodSetup>[] = [
  { wallClockMs: HOUR_MS },
  { wallClockMs: -HOUR_MS },
  {
    options: {
      breakers: {
        payments: { ...POLICIES.breakers.payments, failureThreshold: 20, timeoutMs: 300 },
      },
      rateLimits: { ...POLICIES.rateLimits, scarce: { ...POLICIES.rateLimits.scarce, limit: 30 } },
      bulkheads: {
        ...POLICIES.bulkheads,
        tight: { ...POLICIES.bulkheads.tight, maxConcurrent: 3 },
      },
    },
  },
];

let program: Transpiled;
let redis: Redis | undefined;
let crowd: Crowd;

let port: number;

beforeAll(async () => {
  program = await podProgram();
  port = await freePort();
  crowd = await Crowd.start({
    program,
    address: () => ({ port }),
    special: (pod) => SPECIALS[pod] ?? {},
    isReachable: false,
  });
});
afterAll(async () => {
  await crowd?.stop();
  await redis?.stop();
  await program?.remove();
});

async function redisComes(): Promise<void> {
  redis ??= await startRedis({ port });
}

/** Later than any verdict so far, so that it would be gone along with as it is. */
const GENERATION = Date.now() + HOUR_MS;
const OPEN = ['verdict', 'payments', GENERATION, 1, 60_000, 60_000];

async function foreignMessages(): Promise<void> {
  const messages = [
    [2, ...OPEN],
    [1, 'weather', 'rain'],
    [1, 'verdict', 'of nobody', ...OPEN.slice(2)],
    [1, ...OPEN.slice(0, 2), 1e99, ...OPEN.slice(3)],
    [1, ...OPEN.slice(0, 2), String(GENERATION), ...OPEN.slice(3)],
    [1, ...OPEN.slice(0, 4), -1, 60_000],
    [1, ...OPEN.slice(0, 3)],
    { version: 1 },
    null,
    [[[]]],
  ].map((message) => JSON.stringify(message));
  for (const message of [...messages, '', '[1,"verdict"', 'x'.repeat(1_000_000)])
    await tell(port, 'PUBLISH', crowd.channel, message);
}

// One after the other, as each finds the pods as the one before has left them.
describe('A fleet that starts without Redis', () => {
  it('goes on, and shares as soon as it is there', async () => {
    await examine(crowd, 'Redis is absent when the pods start', async (trial) => {
      trial.knowsOfNobody();
      trial.begins();
      await crowd.outage('none');
      await redisComes();
      trial.ends();
      await crowd.up();
      await crowd.outage('all');
    });
  });
});

describe('A fleet', () => {
  beforeAll(async () => {
    await redisComes();
    await crowd.recovered();
  });

  it('shares with pods whose wall clocks are an hour wrong, and that have other options', async () => {
    await examine(crowd, 'wall clocks are ± 1 h, and a pod has other options', async (trial) => {
      trial.begins();
      for (let round = 0; round < 3; round++) await crowd.outage('all');
      trial.ends();
    });
  });

  it('shares beside a pod of another release, neither of which takes part in what the other does', async () => {
    const release = await otherRelease(program);
    const stranger = new Pod(release.program, { ...crowd.setupOf(4), name: 'stranger' });
    try {
      await stranger.ready();
      stranger.load({ pay: LOADS.pay });
      await examine(crowd, 'a pod has another release', async (trial) => {
        trial.begins();
        await crowd.outage('all');
        expect(stranger.transitions).toEqual([]);
        await outageOf(stranger);
        trial.ends();
      });
      expect(stranger.unhandled).toEqual([]);
      expect(stranger.isUp).toBe(true);
    } finally {
      await stranger.kill();
      await release.remove();
    }
  });

  it('shares beside messages that nobody of it has written', async () => {
    await examine(crowd, 'there are foreign messages', async (trial) => {
      const [seen] = crowd.pods.map(({ refused }) => refused);
      trial.begins();
      await foreignMessages();
      await crowd.outage('all', foreignMessages);
      trial.ends();
      await eventually('what nobody of the fleet has written is refused', () =>
        crowd.alive.every(({ refused }) => refused > (seen ?? 0)),
      );
    });
  });

  it('shares with a pod whose event loop stood still for three seconds', async () => {
    await examine(crowd, 'a pod stands still for 3 s', async (trial) => {
      const [, , stalled] = crowd.pods as [Pod, Pod, Pod];
      trial.stalls(stalled);
      trial.begins();
      const changes = stalled.fleetChanges.length;
      stalled.stall(3_000);
      await crowd.outage('some');
      await sleep(2_500);
      trial.ends();
      await crowd.recovered();
      await crowd.outage('all');
      expect(stalled.fleetChanges.slice(changes)).toEqual([]); // it was no fault of Redis
    });
  });

  it('closes its breakers although who probes is killed', async () => {
    await examine(crowd, 'the pods that probe are killed', async (trial) => {
      const { upstream } = crowd;
      await crowd.outage('all', async () => {
        upstream.sick.clear();
        await sleep(100); // by now all calls of before have ended
        const probers = await probing();
        trial.begins();
        await Promise.all(probers.map((pod) => pod.kill()));
        trial.ends();
        upstream.release();
      });
      trial.isBack();
    });
    await replaceKilled();
  });

  it('has the slots back that killed pods have leased', async () => {
    await examine(crowd, 'pods that have leased slots are killed', async (trial) => {
      const alike = crowd.alive.filter(({ setup }) => setup.options === undefined);
      const left = alike.slice(0, 2);
      const killed = crowd.alive.filter((pod) => !left.includes(pod));
      trial.begins();
      await Promise.all(killed.map((pod) => pod.kill()));
      trial.ends();
      for (const pod of left) pod.load({ tight: 60 });
      const { maxConcurrent } = POLICIES.bulkheads.tight;
      await eventually('all slots are in use', () => crowd.upstream.now('tight') === maxConcurrent);
      trial.isBack();
    });
  });
});

/** The upstream is sick for one pod, until that has opened its breaker. */
async function outageOf(pod: Pod): Promise<void> {
  crowd.upstream.sick.add(pod.name);
  await eventually(`${pod.name} has opened its breaker`, () => pod.state === 'OPEN');
  crowd.upstream.sick.clear();
  await eventually(`${pod.name} has closed its breaker`, () => pod.state === 'CLOSED');
}

/** Holds the calls to the upstream back that are probes. */
async function probing(): Promise<Pod[]> {
  const { upstream } = crowd;
  const before = upstream.arrivals.length;
  upstream.hold();
  const probes = () => upstream.arrivals.slice(before).filter(({ what }) => what === 'pay');
  await eventually('somebody probes', () => probes().length > 0);
  await sleep(200);
  expect(probes().length).toBeLessThanOrEqual(POLICIES.breakers.payments.halfOpenMaxCalls + 1);
  const names = probes().map(({ pod }) => pod);
  return crowd.alive.filter(({ name }) => names.includes(name));
}

async function replaceKilled(): Promise<void> {
  while (crowd.alive.length < 4) {
    const pod = crowd.add();
    await pod.ready();
    pod.load();
  }
  await crowd.up();
}
