import type { Charge } from '../payments/charge.js';
import { PRODUCTS } from '../products/catalogue.js';
import type { Fault } from './fault.js';
import { FlakyUpstream } from './flaky-upstream.js';
import { PaymentLedger } from './payment-ledger.js';

export const UPSTREAM_NAMES = ['payments', 'recommendations', 'analytics'] as const;
export type UpstreamName = (typeof UPSTREAM_NAMES)[number];

/** All that the shop's clients know of the upstreams. */
export type UpstreamUrls = Readonly<Record<UpstreamName, string>>;
export const UPSTREAM_URLS = Symbol('UPSTREAM_URLS');

/** The three services that the shop depends on, each on a socket of its own. */
export class Upstreams {
  private constructor(
    readonly services: Readonly<Record<UpstreamName, FlakyUpstream>>,
    readonly ledger: PaymentLedger,
  ) {}

  static async start(): Promise<Upstreams> {
    const ledger = new PaymentLedger();
    const [payments, recommendations, analytics] = await Promise.all([
      FlakyUpstream.start(({ headers, body }) =>
        ledger.record(String(headers['idempotency-key']), body as Charge),
      ),
      FlakyUpstream.start(({ path }) =>
        PRODUCTS.map(({ id }) => id).filter((id) => !path.endsWith(`/${id}`)),
      ),
      FlakyUpstream.start(() => ({ accepted: true })),
    ]);
    return new Upstreams({ payments, recommendations, analytics }, ledger);
  }

  get urls(): UpstreamUrls {
    const { payments, recommendations, analytics } = this.services;
    return {
      payments: payments.url,
      recommendations: recommendations.url,
      analytics: analytics.url,
    };
  }

  /** Breaks what is listed, heals the rest. */
  async setFaults(faults: Partial<Record<UpstreamName, Fault>>): Promise<void> {
    await Promise.all(
      UPSTREAM_NAMES.map((name) => this.services[name].setFault(faults[name] ?? 'none')),
    );
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.services).map((service) => service.close()));
  }
}
