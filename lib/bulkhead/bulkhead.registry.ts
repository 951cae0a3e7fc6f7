import { Registry } from '../common/registry.js';
import type { BulkheadHost } from './bulkhead.host.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadPolicy } from './bulkhead.policy.js';

/** The bulkheads of an application: the named ones, and those that decorators made inline. */
export class BulkheadRegistry extends Registry<BulkheadPolicy> {
  /** @internal */
  constructor(
    private readonly hostFor: (name: string) => BulkheadHost,
    onLeft: (name: string) => void = () => undefined,
  ) {
    super('bulkhead', 'bulkheads', onLeft);
  }

  /**
   * @throws ResilienceConfigurationError where the options are wrong or the name is taken
   * @internal
   */
  define(name: string, options: BulkheadOptions, place: string): BulkheadPolicy {
    resolveBulkheadOptions(place, checkBulkheadOptions(place, options)); // with the place in the message
    return this.add(new BulkheadPolicy(name, options, this.hostFor(name)), place);
  }
}
