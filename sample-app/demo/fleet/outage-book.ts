import type { ShopOnTrial } from '../shop-on-trial.js';
import type { FleetPhase } from './fleet-script.js';
import type { ShopFleet } from './shop-fleet.js';

/** How a fleet met one phase in which payments was down. */
export interface Outage {
  readonly title: string;
  /** What reached payments. */
  readonly calls: number;
  /** What half-open breakers sent of that. */
  readonly probes: number;
  /** From the first instance that opened to the last. */
  readonly openedWithinMs: number | undefined;
}

/** Writes down what reached payments while it was down, phase by phase. */
export class OutageBook {
  readonly outages: Outage[] = [];
  private close = () => {};

  constructor(private readonly trial: ShopOnTrial<ShopFleet>) {}

  begin({ title, faults }: FleetPhase): void {
    this.end();
    if (faults.payments === undefined) return;
    const { shop, upstreams } = this.trial;
    const { payments } = upstreams.services;
    const [since, calls, probes] = [Date.now(), payments.callsWhileBroken, shop.probes];
    this.close = () =>
      this.outages.push({
        title,
        calls: payments.callsWhileBroken - calls,
        probes: shop.probes - probes,
        openedWithinMs: shop.openedWithinMs(since),
      });
  }

  end(): void {
    this.close();
    this.close = () => {};
  }
}
