import type { Metrics } from '../common/metrics.js';
import type { Registered, Registry } from '../common/registry.js';
import { checkSharing } from '../fleet/sharing.js';
import { ALL, nameOf } from '../stage/key.js';
import { type Keyable, resolveKeyedOptions, splitKeyed } from '../stage/keyed.options.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';
import type { StageApplication } from '../stage/stage-definition.js';
import { unseen } from '../stage/stage-host.js';
import { KeyedInstances } from './keyed-instances.js';
import type { ChangedParts } from './keyed-parts.js';
import { KeyedReports } from './keyed-reports.js';
import type { NamedMemory } from './named-memory.js';
import { NamedOrders } from './named-orders.js';

/**
 * Makes the instances of a stage, one for all calls or one for each key, and registers them. What is known of
 * a name from before a restart, or was told to the whole fleet, is so of the new instance at once.
 */
export class NamedMaker<P extends NamedPolicy, O extends object> {
  /** Where the instances can be told what the whole fleet is, and there is one. */
  private readonly fleet: NamedOrders<P> | undefined;

  /** @param metrics that instances by key report together */
  constructor(
    private readonly instances: NamedInstances<P, O>,
    private readonly application: StageApplication,
    private readonly registry: Registry<P>,
    private readonly memory: NamedMemory<P>,
    private readonly metrics: Metrics,
  ) {
    const orders = instances.orders && application.fleet?.orders;
    this.fleet = orders && new NamedOrders<P>(instances, registry, orders);
  }

  /** @throws ResilienceConfigurationError where the name is taken, or there is no fleet to share it with */
  make(
    name: string,
    options: Keyable<O>,
    place: string,
    isByKey = options.key !== undefined,
  ): Registered<P> {
    const { application, instances, registry } = this;
    const [, own] = splitKeyed<O>(options);
    Object.freeze(own); // which many may be made with
    const inForce = instances.resolve(place, own); // with the place in the message
    if (instances.isSharable)
      checkSharing(place, (inForce as { shared?: unknown }).shared, application.fleet);
    if (isByKey) return this.makeKeyed(name, options, place);
    const policy = instances.make(name, own, application);
    const made = registry.add(this.memory.recalled(policy), place);
    this.fleet?.obeyLatest(name);
    return made;
  }

  /** What of the instances by key follows from their options, which have been checked. */
  partsOf(name: string, options: Keyable<O>): ChangedParts<P> {
    const { application, fleet, instances } = this;
    const [keyed, own] = splitKeyed<O>(options);
    Object.freeze(own);
    const pattern = nameOf(name, ALL);
    return {
      given: options,
      keyed: resolveKeyedOptions(keyed),
      options: instances.resolve(name, own),
      make: (instance, host) => this.memory.recalled(instances.make(instance, own, host)),
      fleet: fleet && {
        orders: fleet.orders,
        standIn: () => instances.make(pattern, own, unseen(application)),
        made: (policy) => fleet.obeyOwn(policy, pattern),
      },
    };
  }

  /** It is used no more. */
  end(entry: Registered<P>): void {
    if (entry instanceof KeyedInstances) entry.end();
    else this.instances.dispose?.(entry as P);
  }

  private makeKeyed(name: string, options: Keyable<O>, place: string): Registered<P> {
    const { application, instances } = this;
    const { title } = instances;
    const parts = this.partsOf(name, options);
    const { maxKeys, keyLabel } = parts.keyed;
    const warn = application.warnOf(`The ${title} "${name}"`);
    const made = new KeyedInstances<P>({
      ...parts,
      name,
      place: `${title} "${name}"`,
      reports: new KeyedReports(application, name, this.metrics, keyLabel),
      reveal: (policy) => instances.injected?.(policy) ?? policy,
      dispose: (policy) => instances.dispose?.(policy),
      shutdown: (policy) => instances.shutdown?.(policy),
      crowded: () =>
        warn(
          new Error(
            `has more keys than maxKeys ${maxKeys}, none of which can be forgotten: keys that come now share one`,
          ),
        ),
    });
    this.registry.add(made, place);
    this.fleet?.obeyLatest(made.pattern);
    return made;
  }
}
