import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd } from './crowd.js';
import { lengthOf, type Phase } from './script.js';
import type { ShopOnTrial } from './shop-on-trial.js';
import { bar, type LiveBlock, paint } from './terminal.js';

const REFRESH_MS = 250;

export interface Play<P extends Phase> {
  readonly script: readonly P[];
  readonly shops: readonly ShopOnTrial[];
  readonly requestsPerSecond: number;
  readonly live: LiveBlock;
  /** What a phase begins with, before its faults. */
  begin?(phase: P): Promise<void>;
  /** The lines that are redrawn while it runs. */
  view(): string[] | Promise<string[]>;
}

/**
 * Plays a script to shops that one crowd visits.
 *
 * @returns how long the machine stood still meanwhile, in ms
 */
export async function play<P extends Phase>(play: Play<P>): Promise<number> {
  const { script, shops, live } = play;
  const crowd = new Crowd(shops, play.requestsPerSecond);
  const seconds = lengthOf(script);
  const elapsedSeconds = () => crowd.elapsedMs / 1_000;
  crowd.start();
  let endsAt = 0;
  for (const phase of script) {
    await play.begin?.(phase);
    await Promise.all(shops.map((shop) => shop.enter(phase)));
    live.note(paint('bold', `${clock(elapsedSeconds())} ${phase.title}`));
    endsAt += phase.seconds;
    while (elapsedSeconds() < endsAt) {
      const head = `${clock(elapsedSeconds())} ${phase.title.padEnd(28)}`;
      live.show([head + bar(elapsedSeconds() / seconds), ...(await play.view())]);
      await sleep(REFRESH_MS);
    }
  }
  await crowd.stop();
  live.erase();
  return crowd.stoodStillMs;
}

function clock(seconds: number): string {
  return `[${seconds.toFixed(1).padStart(4)}s]`;
}
