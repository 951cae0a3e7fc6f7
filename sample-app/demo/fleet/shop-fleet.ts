import type { UpstreamUrls } from '../../upstreams/upstreams.js';
import { type RequestKind, visit } from '../customer.js';
import type { OpenShop } from '../shop-on-trial.js';
import { InstanceProcess } from './instance-process.js';

const INSTANCES = 5;
const WARM_UP: readonly RequestKind[] = ['product', 'order'];
const WARM_UP_ROUNDS = 10;

/** Several instances of the shop, each a process. */
export class ShopFleet implements OpenShop {
  /** A small machine may be slow with so many processes, which is not the shop's fault. */
  readonly patienceMs = 10_000;

  private constructor(readonly instances: readonly InstanceProcess[]) {}

  static async start(urls: UpstreamUrls, redis?: string): Promise<ShopFleet> {
    const starting = Array.from({ length: INSTANCES }, () => InstanceProcess.start(urls, redis));
    const fleet = new ShopFleet(await Promise.all(starting));
    await fleet.warmUp();
    return fleet;
  }

  get urls(): string[] {
    return this.instances.map(({ url }) => url);
  }

  get probes(): number {
    return this.instances.reduce((sum, { probes }) => sum + probes, 0);
  }

  /** How far apart the instances opened for the first time since then; undefined: not all have. */
  openedWithinMs(since: number): number | undefined {
    const first = this.instances.map(({ openings }) => openings.find((at) => at >= since));
    if (first.some((at) => at === undefined)) return undefined;
    return Math.max(...(first as number[])) - Math.min(...(first as number[]));
  }

  /** The first calls of a process take long, and would count as an outage where five have them at once. */
  private async warmUp(): Promise<void> {
    for (let round = 0; round < WARM_UP_ROUNDS; round++)
      for (const url of this.urls) for (const kind of WARM_UP) await visit(url, kind, '1');
  }

  async close(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.close()));
  }
}
