import type { Registry } from '../common/registry.js';
import type { Orders } from '../fleet/orders.js';
import type { Order } from '../fleet/shared-register.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';

/** What the whole fleet is told of the instances of a stage, which are obeyed here by their names. */
export class NamedOrders<P extends NamedPolicy> {
  private readonly section: string;

  constructor(
    private readonly instances: NamedInstances<P>,
    private readonly registry: Registry<P>,
    readonly orders: Orders,
  ) {
    const { section, stage } = instances;
    this.section = section ?? stage;
    orders.on(this.section, {
      knows: (value) => instances.orders?.knows(value) === true,
      obey: (name, order) => this.obey(name, order),
    });
  }

  /** What has just been made obeys what was told of its name before. */
  obeyLatest(name: string): void {
    const order = this.latest(name);
    if (order !== undefined) this.obey(name, order);
  }

  /**
   * The same for one by key, which has obeyed what was told of all by their `pattern`: what was told of it
   * alone counts where that was later.
   */
  obeyOwn(policy: P, pattern: string): void {
    const order = this.latest(policy.name);
    if (order !== undefined && order.generation >= (this.latest(pattern)?.generation ?? 0))
      this.instances.orders?.obey(policy, order);
  }

  /** Names that are not there may be of another release, or come later. */
  private obey(name: string, order: Order): void {
    const { instances, registry } = this;
    const obey = (policy: P) => instances.orders?.obey(policy, order);
    const keyed = registry.allOf(name);
    if (keyed !== undefined) keyed.forAll(obey);
    else if (registry.has(name)) obey(registry.get(name));
  }

  private latest(name: string): Order | undefined {
    return this.orders.latest(this.section, name);
  }
}
