import type { Call } from '../lab/case.js';
import { load } from '../packages.js';
import { definePeer, type Protect } from './peer.js';

type Module = object;

interface Mollitia {
  Circuit: new (options: {
    func: Call;
    options: { modules: Module[] };
  }) => { execute(): Promise<unknown> };
  Retry: new (options: { attempts: number }) => Module;
  SlidingCountBreaker: new (options?: { state: string; openStateDelay: number }) => Module;
  Timeout: new (options: { delay: number }) => Module;
  Bulkhead: new (options: { concurrentSize: number; queueSize: number }) => Module;
  Fallback: new (options: { callback: () => unknown }) => Module;
  BreakerState: { OPENED: string };
}

const lib = await load<Mollitia>('mollitia');

const retry = () => new lib.Retry({ attempts: 2 }); // after the first
// Not by time: that one keeps every call of its window, and goes through all of them at each.
const circuitBreaker = () => new lib.SlidingCountBreaker();
const timeout = () => new lib.Timeout({ delay: 1_000 });
const bulkhead = () => new lib.Bulkhead({ concurrentSize: 10, queueSize: 100 });
const fallback = () => new lib.Fallback({ callback: () => 0 });

const protectBy =
  (...modules: (() => Module)[]): Protect =>
  (work) => {
    const circuit = new lib.Circuit({
      func: work,
      options: { modules: modules.map((make) => make()) },
    });
    return () => circuit.execute();
  };

export const mollitia = definePeer(import.meta.url, 'mollitia', {
  fullStack: protectBy(fallback, retry, circuitBreaker, timeout, bulkhead),
  circuitBreaker: protectBy(circuitBreaker),
  bulkhead: protectBy(bulkhead),
  openBreaker: protectBy(
    () =>
      new lib.SlidingCountBreaker({ state: lib.BreakerState.OPENED, openStateDelay: 3_600_000 }),
  ),
});

export default mollitia.cases;
