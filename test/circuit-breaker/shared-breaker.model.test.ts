import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { Verdict } from '../../lib/fleet/shared-verdicts.js';
import { CircuitState } from '../../lib/index.js';
import { type FleetInstance, makeInstance } from '../support/fleet-instance.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { verdictsOf } from '../support/memory-verdicts.js';

const INSTANCES = 3;
const QUORUM = 2;
const OPTIONS = {
  shared: { quorum: QUORUM },
  failureThreshold: 2,
  successThreshold: 2,
  halfOpenMaxCalls: 1,
  timeoutMs: 1_000,
  timeoutFactor: 2,
  maxTimeoutMs: 4_000,
  timeoutJitter: 0.1,
};
/** What happens in an empty store begins later than what was lost with it. */
const RESTART_MS = 100;

type End = 'success' | 'failure' | 'nothing';

/** What happens to the instances, to their calls, and to what is on its way between them. */
type Step =
  | { readonly what: 'call'; readonly of: number; readonly end: End | undefined }
  | { readonly what: 'end'; readonly call: number; readonly end: End }
  | { readonly what: 'wait'; readonly ms: number }
  | { readonly what: 'deliver' | 'lose' | 'double'; readonly parcel: number }
  | { readonly what: 'outage' }
  | { readonly what: 'deliver all' }
  | { readonly what: 'empty the store' }
  | { readonly what: 'cut' | 'mend' | 'crash' | 'restart'; readonly of: number }
  | {
      readonly what: 'force';
      readonly of: number;
      readonly how: 'forceOpen' | 'disable' | 'reset';
    };

const of = fc.nat(INSTANCES - 1);
const end = fc.constantFrom<End>('success', 'failure', 'failure', 'nothing');
const one = <W extends string>(what: W) => fc.constant(what);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 50,
    arbitrary: fc.record({
      what: one('call'),
      of,
      end: fc.option(end, { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 20, arbitrary: fc.record({ what: one('end'), call: fc.nat(), end }) },
  {
    weight: 30,
    arbitrary: fc.record({ what: one('wait'), ms: fc.constantFrom(10, 50, 250, 1_000, 2_000) }),
  },
  { weight: 40, arbitrary: fc.record({ what: one('deliver'), parcel: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ what: one('lose'), parcel: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ what: one('double'), parcel: fc.nat() }) },
  { weight: 60, arbitrary: fc.record({ what: one('deliver all') }) },
  { weight: 8, arbitrary: fc.record({ what: one('outage') }) },
  {
    weight: 10,
    arbitrary: fc.record({ what: fc.constantFrom('cut' as const, 'mend' as const), of }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ what: fc.constantFrom('crash' as const, 'restart' as const), of }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      what: one('force'),
      of,
      how: fc.constantFrom('forceOpen' as const, 'disable' as const, 'reset' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: one('empty the store') }) },
);

/** An instance, and what must hold of it. */
class Pod {
  forced: CircuitState | undefined = undefined;
  private seen = 0;
  /** The last generation that it knew when its own calls opened it. */
  private ownSince: number | undefined = undefined;
  private heard = 0;

  constructor(
    readonly instance: FleetInstance,
    private readonly simulation: Simulation,
  ) {}

  /** The last generation that it has gone along with. */
  get generation(): number {
    return Reflect.get(Reflect.get(this.instance.breaker, 'shared') as object, 'seen') as number;
  }

  check(): void {
    const { events, breaker } = this.instance;
    for (; this.heard < events.length; this.heard++) {
      const { type, to, reason } = events[this.heard] as Record<string, unknown>;
      if (type === 'circuit-state') this.changed(to as CircuitState, reason as string);
    }
    expect(this.generation).toBeGreaterThanOrEqual(this.seen);
    this.seen = this.generation;
    if (this.forced !== undefined) expect(breaker.getState()).toBe(this.forced);
  }

  private changed(to: CircuitState, reason: string): void {
    if (to === CircuitState.OPEN && reason !== 'fleet-opened') {
      this.ownSince = this.seen;
      this.simulation.ownOpenings.push({ by: this, at: Date.now() });
    } else if (reason === 'fleet-closed') {
      const { ownSince, generation } = this;
      // What its own calls have opened is closed by others only after they have opened it as well.
      if (ownSince !== undefined)
        expect(this.simulation.hasOpened(ownSince, generation)).toBe(true);
      this.ownSince = undefined;
    } else if (to !== CircuitState.HALF_OPEN) this.ownSince = undefined;
  }
}

class Simulation {
  readonly hub = new MemoryFleet();
  readonly pods: Pod[] = [];
  readonly ownOpenings: { readonly by: Pod; readonly at: number }[] = [];
  private readonly verdicts = new Map<number, boolean>();
  private readonly running: ((end: End) => void)[] = [];

  constructor(private readonly rates: readonly number[]) {
    const { hub } = this;
    const publish = hub.publish.bind(hub);
    hub.publish = (name, message) => {
      if (name === verdictsOf('payments')) this.decided(message as Verdict);
      publish(name, message);
    };
    hub.isHolding = true;
    for (let place = 0; place < INSTANCES; place++) this.start(place);
  }

  /** Whether an opening of all was decided between two generations. */
  hasOpened(after: number, before: number): boolean {
    return [...this.verdicts].some(
      ([generation, isOpen]) => isOpen && generation > after && generation < before,
    );
  }

  async play(step: Step): Promise<void> {
    await this.do(step);
    await settled();
    await settled();
    this.check();
  }

  /** The network is well, nobody forces anything, and the dependency answers. */
  async calmDown(): Promise<void> {
    const { hub, pods } = this;
    for (const finish of this.running.splice(0)) finish('nothing');
    await hub.deliverAll();
    hub.isHolding = false;
    for (const [place, pod] of pods.entries()) {
      const { link, breaker } = pod.instance;
      link.cut(); // what was lost on it is not noticed by a link in memory
      await link.mend();
      if (!link.isConnected) this.start(place);
      if (pod.forced !== undefined) breaker.reset();
      pod.forced = undefined;
    }
    for (let round = 0; round < 60; round++) {
      for (const { instance } of pods) this.call(instance, 'success');
      await jest.advanceTimersByTimeAsync(250);
      this.check();
    }
  }

  check(): void {
    for (const pod of this.pods) pod.check();
    const { store } = this.hub.boards.verdicts;
    expect(store.running('payments', Date.now())).toBeLessThanOrEqual(OPTIONS.halfOpenMaxCalls);
  }

  private decided({ generation, isOpen }: Verdict): void {
    expect(this.verdicts.has(generation)).toBe(false);
    const last = Math.max(0, ...this.verdicts.keys());
    expect(generation).toBeGreaterThan(last);
    if (isOpen && this.verdicts.get(last) !== true) {
      for (const pod of this.pods) pod.check(); // their events of this very moment
      // A clock that is slow takes longer for the same time, and a vote may be late.
      const since = Date.now() - OPTIONS.maxTimeoutMs * 1.2 - 500;
      const voters = this.ownOpenings.filter(({ at }) => at >= since).map(({ by }) => by);
      expect(new Set(voters).size).toBeGreaterThanOrEqual(QUORUM);
    }
    this.verdicts.set(generation, isOpen);
  }

  private async do(step: Step): Promise<void> {
    const { hub, pods, running } = this;
    const pod = pods['of' in step ? step.of : 0] as Pod;
    const { link, breaker } = pod.instance;
    if (step.what === 'call') this.call(pod.instance, step.end);
    else if (step.what === 'outage') await this.endure();
    else if (step.what === 'end')
      running.splice(step.call % (running.length || 1), 1)[0]?.(step.end);
    else if (step.what === 'wait') await jest.advanceTimersByTimeAsync(step.ms);
    else if (step.what === 'deliver all') await hub.deliverAll();
    else if (step.what === 'cut') link.cut();
    else if (step.what === 'mend') void link.mend();
    else if (step.what === 'crash') link.crash();
    else if (step.what === 'restart') {
      link.crash();
      this.start(step.of);
    } else if (step.what === 'empty the store') {
      hub.clear();
      await jest.advanceTimersByTimeAsync(RESTART_MS);
    } else if (step.what === 'force') {
      breaker[step.how]();
      const state = breaker.getState();
      pod.forced = step.how === 'reset' ? undefined : state;
    } else if ('parcel' in step) hub[step.what](step.parcel % (hub.parcels.length || 1));
  }

  /** All are called, and nobody is answered, until their breakers are open. */
  private async endure(): Promise<void> {
    for (let call = 0; call < OPTIONS.failureThreshold; call++) {
      for (const { instance } of this.pods) this.call(instance, 'failure');
      await settled();
    }
    await this.hub.deliverAll();
  }

  private start(place: number): void {
    const instance = makeInstance(this.hub, OPTIONS);
    instance.link.clockRate = this.rates[place] as number;
    void instance.membership.begin();
    this.pods[place] = new Pod(instance, this);
  }

  /** @param end how it ends at once; else it goes on */
  private call({ breaker }: FleetInstance, end: End | undefined): void {
    const work = () => {
      if (end === 'success') return Promise.resolve();
      if (end !== undefined) return Promise.reject(errorOf(end));
      return new Promise<void>((resolve, reject) => {
        this.running.push((later) => (later === 'success' ? resolve() : reject(errorOf(later))));
      });
    };
    breaker.execute(work).catch(() => undefined);
  }
}

function errorOf(end: End): Error {
  return end === 'nothing' ? new DOMException('gave up', 'AbortError') : new Error('down');
}

describe('Instances that share a circuit breaker', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('keep to the rules whatever happens to them, and agree when it is over', async () => {
    const rates = fc.array(fc.constantFrom(0.95, 1, 1.05), {
      minLength: INSTANCES,
      maxLength: INSTANCES,
    });
    await fc.assert(
      fc.asyncProperty(
        rates,
        fc.array(step, { minLength: 40, maxLength: 120 }),
        async (own, steps) => {
          jest.useFakeTimers({ now: 1_700_000_000_000 });
          const simulation = new Simulation(own);
          for (const each of steps) await simulation.play(each);
          await simulation.calmDown();
          const { pods, hub } = simulation;
          expect(pods.map(({ instance }) => instance.breaker.getState())).toEqual(
            pods.map(() => CircuitState.CLOSED),
          );
          const { generation } = hub.boards.verdicts.store.read('payments', Date.now());
          for (const pod of pods) expect(pod.generation).toBeGreaterThanOrEqual(generation);
        },
      ),
      { numRuns: 100 },
    );
  });
});
