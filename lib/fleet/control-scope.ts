import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { boolean } from '../common/option-rules.js';
import { checkOptions, type Rules } from '../common/options.js';
import type { Orders } from './orders.js';

/** Whom an action is for. */
export interface ControlScope {
  /**
   * Whether all instances of the fleet do so too: those that are there at once, others when they start, or
   * reach the fleet again. Of what is told to all, the last wins everywhere. @default false
   */
  fleet?: boolean;
  /**
   * Who says so, for the log, events and the other instances: a name of at most 100 characters. @default nobody
   */
  by?: string;
}

const RULES: Rules<ControlScope> = {
  fleet: boolean,
  by: (value) =>
    typeof value === 'string' && /^[^\p{Cc}]{1,100}$/u.test(value)
      ? undefined
      : 'a name of 1 to 100 characters, on one line',
};

/**
 * Where to tell all instances, if an action is for all.
 *
 * @throws ResilienceConfigurationError where it is and there is no fleet, or the scope is none
 */
export function ordersFor(
  scope: ControlScope | undefined,
  orders: Orders | undefined,
  place: string,
): Orders | undefined {
  if (scope === undefined || !checkOptions<ControlScope>(place, scope, RULES).fleet)
    return undefined;
  if (orders !== undefined) return orders;
  throw new ResilienceConfigurationError(
    `${place}.fleet`,
    'is true, and the application has no fleet; allowed: with one, such as ResilienceModule.forRoot({ fleet: new RedisFleet({ client, namespace }) })',
  );
}
