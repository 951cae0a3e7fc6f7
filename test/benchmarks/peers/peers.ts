import type { Case } from '../lab/case.js';
import { bottleneck } from './bottleneck.js';
import { cockatiel } from './cockatiel.js';
import { mollitia } from './mollitia.js';
import { nestjsResilience } from './nestjs-resilience.js';
import { opossum } from './opossum.js';
import { pThrottle } from './p-throttle.js';
import type { Pattern } from './peer.js';

/** What a peer has of a pattern. */
export interface PeerCase {
  readonly peer: string;
  readonly call: Case;
}

/** All peers that have this pattern, around the same work. */
export function peersWith(pattern: Pattern): PeerCase[] {
  const peers = [cockatiel, opossum, mollitia, nestjsResilience, bottleneck, pThrottle];
  return peers.flatMap(({ name, cases }) => {
    const call = cases[pattern];
    return call === undefined ? [] : [{ peer: name, call }];
  });
}
