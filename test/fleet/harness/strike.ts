import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Crowd, Reach } from './crowd.js';
import { sharedNow } from './shared-time.js';
import { tabulate } from './table.js';
import { type Findings, Trial } from './trial.js';

const QUIET_MS = 500;
/** Late enough that what was written for a Redis which stood still is of a time that is over. */
const LASTS_MS = 1_200;
/** Of which 2000 are the goal, in the table; the rest is for a loaded machine. */
const UP_AGAIN_MS = 20_000;

/** Something that happens to Redis or on the way to it. */
export interface Fault {
  readonly name: string;
  begin(): unknown;
  end(): unknown;
  /** How far an outage goes meanwhile. By `none` the pods know that they are alone. @default 'none' */
  readonly reach?: Reach;
  /** Once more, while breakers are open. */
  whileOpen?(): unknown;
  /**
   * So many slots may be given twice: a replica that takes over lacks what its master had not sent it yet, as
   * Redis replicates after it has answered. @default 0
   */
  readonly slotsLost?: number;
}

/** The same fate for each crowd: an outage while the fault lasts, and one after it, which goes to all. */
export async function strike(crowd: Crowd, fault: Fault): Promise<void> {
  const { name, reach = 'none', slotsLost } = fault;
  const happens = async (trial: Trial) => {
    if (reach !== 'all') trial.cutsOff(3); // while the first is back
    trial.begins();
    const endsAt = sharedNow() + LASTS_MS;
    try {
      await fault.begin();
      await crowd.outage(reach, () => fault.whileOpen?.());
      if (reach === 'none') {
        await crowd.down();
        await crowd.outage('none'); // once more, as now they know
      }
      await sleep(Math.max(0, endsAt - sharedNow()));
    } finally {
      await fault.end(); // the next begins with all well
      trial.ends();
    }
    await crowd.recovered();
    await crowd.outage('all');
  };
  await examine(crowd, name, happens, slotsLost);
}

/** Examines what happens to a crowd that was left alone before; whatever comes out is in the table. */
export async function examine(
  crowd: Crowd,
  name: string,
  happens: (trial: Trial) => Promise<void>,
  slotsLost = 0,
): Promise<void> {
  await sleep(QUIET_MS);
  const trial = new Trial(name, crowd, QUIET_MS);
  const failures: unknown[] = [];
  await happens(trial).catch((error) => failures.push(error));
  const findings = trial.findings();
  try {
    if (failures.length === 0) judge(findings, slotsLost);
  } catch (error) {
    failures.push(error);
  }
  await tabulate(findings, failures.length === 0);
  for (const failure of failures) throw failure;
}

function judge(findings: Findings, slotsLost: number): void {
  expect(findings).toMatchObject({
    harmed: [],
    unhandled: [],
    falseOpenings: [],
    excessCalls: 0,
  });
  expect(findings.excessSlots).toBeLessThanOrEqual(slotsLost);
  expect(findings.upAgainMs ?? 0).toBeLessThan(UP_AGAIN_MS);
}
