import type { Case } from '../lab/case.js';
import { cockatiel } from './cockatiel.js';
import { mollitia } from './mollitia.js';
import { nestjsResilience } from './nestjs-resilience.js';
import { opossum } from './opossum.js';
import type { Pattern } from './peer.js';

/** What a peer has of a pattern. */
export interface PeerCase {
  readonly peer: string;
  readonly call: Case;
}

/** All peers that have this pattern, around the same work. */
export function peersWith(pattern: Pattern): PeerCase[] {
  return [cockatiel, opossum, mollitia, nestjsResilience].flatMap(({ name, cases }) => {
    const call = cases[pattern];
    return call === undefined ? [] : [{ peer: name, call }];
  });
}
