import { PRODUCTS } from '../products/catalogue.js';
import type { RequestKind } from './customer.js';
import type { ShopOnTrial } from './shop-on-trial.js';

const TICK_MS = 25;
/** A machine that stands still for longer has too much to do: who would have come meanwhile comes later. */
const LONGEST_TICK_MS = 2 * TICK_MS;
const MIX: readonly RequestKind[] = ['product', 'order'];

/**
 * Sends the same requests to every shop at the same pace. New customers come whether or not the
 * earlier ones were served, as in life: a slow shop gets no rest. Its time stands while the machine does.
 */
export class Crowd {
  private readonly open = new Set<Promise<void>>();
  private sent = 0;
  private timer?: NodeJS.Timeout;
  /** Since it began, in ms, without the time for which the machine stood still. */
  elapsedMs = 0;
  /** So long the machine stood still, in ms. */
  stoodStillMs = 0;

  constructor(
    private readonly shops: readonly ShopOnTrial[],
    private readonly requestsPerSecond: number,
  ) {}

  start(): void {
    let before = performance.now();
    this.timer = setInterval(() => {
      const tookMs = performance.now() - before;
      before += tookMs;
      this.elapsedMs += Math.min(tookMs, LONGEST_TICK_MS);
      this.stoodStillMs += Math.max(0, tookMs - LONGEST_TICK_MS);
      const due = (this.elapsedMs / 1_000) * this.requestsPerSecond;
      while (this.sent < due) this.send(this.sent++);
    }, TICK_MS);
  }

  /** Nobody new comes in; those inside are served. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.open);
  }

  private send(n: number): void {
    const kind = MIX[n % MIX.length] as RequestKind;
    const { id } = PRODUCTS[n % PRODUCTS.length] as { id: string };
    for (const shop of this.shops) {
      const visit = shop.serve(kind, id).finally(() => this.open.delete(visit));
      this.open.add(visit);
    }
  }
}
