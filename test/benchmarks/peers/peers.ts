import { caught, work } from '../cases/baselines.js';
import type { Case } from '../lab/case.js';
import { versionOf } from '../packages.js';
import { cockatiel } from './cockatiel.js';
import { mollitia } from './mollitia.js';
import { nestjsResilience } from './nestjs-resilience.js';
import { opossum } from './opossum.js';
import type { Pattern } from './peer.js';

export const PEERS = [cockatiel, opossum, mollitia, nestjsResilience];

/** All peers that have this pattern, around the same work. */
export function peerCases(pattern: Pattern): Case[] {
  return PEERS.flatMap(({ name, patterns }) => {
    const protect = patterns[pattern];
    if (protect === undefined) return [];
    const setup = async () => {
      const call = await protect(work);
      return pattern === 'openBreaker' ? caught(call) : call;
    };
    const suffix = pattern === 'partialStack' ? ', not all stages' : '';
    return [{ name: `${name} ${versionOf(name)}${suffix}`, setup }];
  });
}
