import { UNREACHED } from '../cases/rates.js';
import { load } from '../packages.js';
import { definePeer } from './peer.js';

interface Limiter {
  schedule(work: () => Promise<unknown>): Promise<unknown>;
}

const Bottleneck = await load<new (options: Record<string, number>) => Limiter>('bottleneck');

export const bottleneck = definePeer(import.meta.url, 'bottleneck', {
  rateLimit: (work) => {
    const limiter = new Bottleneck({
      reservoir: UNREACHED.limit * 1_000,
      reservoirRefreshAmount: UNREACHED.limit * 1_000,
      reservoirRefreshInterval: 1_000,
    });
    return () => limiter.schedule(work);
  },
});

export default bottleneck.cases;
