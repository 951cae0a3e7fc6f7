import { UNREACHED } from '../cases/rates.js';
import type { Call } from '../lab/case.js';
import { load } from '../packages.js';
import { definePeer } from './peer.js';

type Throttle = (options: { limit: number; interval: number }) => (work: Call) => Call;

const throttle = await load<Throttle>('p-throttle');

/** It sets a timer for every call, also for one that need not wait. */
export const pThrottle = definePeer(import.meta.url, 'p-throttle', {
  rateLimit: (work) => throttle({ limit: UNREACHED.limit, interval: UNREACHED.intervalMs })(work),
});

export default pThrottle.cases;
