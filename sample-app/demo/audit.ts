import { setTimeout as sleep } from 'node:timers/promises';
import type { ShopOnTrial } from './shop-on-trial.js';

/** A machine that is busy takes its time, and nobody waits for one that is not. */
const PATIENCE_MS = 60_000;

/** What the books of payments say about the orders that a shop accepted. */
export interface Audit {
  readonly accepted: number;
  readonly chargedOnce: number;
  readonly queued: number;
  /** From the end of the payments outage to the last charge that had been queued. */
  readonly lastDeliveryMs?: number;
}

function audit({ tally, upstreams, healedAt }: ShopOnTrial): Audit {
  const accepted = tally.acceptedOrders();
  const queued = tally.acceptedOrders('degraded');
  const deliveries = queued.flatMap((id) => upstreams.ledger.chargesFor(id));
  const healed = healedAt.get('payments');
  return {
    accepted: accepted.length,
    chargedOnce: accepted.filter((id) => upstreams.ledger.chargesFor(id).length === 1).length,
    queued: queued.length,
    lastDeliveryMs:
      healed === undefined || deliveries.length === 0
        ? undefined
        : Math.max(...deliveries) - healed,
  };
}

/** Gives the queued charges some time to be delivered. */
export async function auditOnceSettled(shop: ShopOnTrial): Promise<Audit> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const result = audit(shop);
    if (result.chargedOnce === result.accepted || performance.now() > giveUpAt) return result;
    await sleep(100);
  }
}
