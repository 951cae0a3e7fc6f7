import {
  UPSTREAM_NAMES,
  type UpstreamName,
  Upstreams,
  type UpstreamUrls,
} from '../upstreams/upstreams.js';
import { type RequestKind, visit } from './customer.js';
import type { Phase } from './script.js';
import { Tally } from './tally.js';

/** One or several instances of a shop, which serve. */
export interface OpenShop {
  readonly urls: readonly string[];
  /** How long its customers wait for an answer, in ms. @default 2000 */
  readonly patienceMs?: number;
  close(): Promise<void>;
}

/** A shop with upstreams of its own, on real sockets, and the record of how it served. */
export class ShopOnTrial<Shop extends OpenShop = OpenShop> {
  tally = new Tally();
  /** When each upstream that was broken became well again. */
  readonly healedAt = new Map<UpstreamName, number>();
  private served = 0;

  private constructor(
    readonly label: string,
    readonly upstreams: Upstreams,
    readonly shop: Shop,
  ) {}

  static async open<Shop extends OpenShop>(
    label: string,
    open: (upstreams: UpstreamUrls) => Promise<Shop>,
  ): Promise<ShopOnTrial<Shop>> {
    const upstreams = await Upstreams.start();
    return new ShopOnTrial(label, upstreams, await open(upstreams.urls));
  }

  /** The record begins now: what was before was a rehearsal. */
  beginAnew(): void {
    this.tally = new Tally();
    this.healedAt.clear();
    for (const service of Object.values(this.upstreams.services)) service.countAnew();
  }

  async enter({ faults }: Phase): Promise<void> {
    const { services } = this.upstreams;
    const healed = UPSTREAM_NAMES.filter(
      (name) => services[name].fault !== 'none' && faults[name] === undefined,
    );
    await this.upstreams.setFaults(faults);
    for (const name of healed) this.healedAt.set(name, performance.now());
  }

  /** By one instance after another. */
  async serve(kind: RequestKind, productId: string): Promise<void> {
    const { urls, patienceMs } = this.shop;
    const url = urls[this.served++ % urls.length] as string;
    const askedAt = performance.now();
    const answer = await visit(url, kind, productId, patienceMs);
    this.tally.add(kind, answer, performance.now() - askedAt);
  }

  async close(): Promise<void> {
    await this.shop.close();
    await this.upstreams.close();
  }
}
