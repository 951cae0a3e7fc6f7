import type { Order } from '../fleet/shared-register.js';
import { CircuitState, type CircuitTransitionReason } from './circuit-state.js';

/** In the subjects of orders. */
export const BREAKERS = 'breakers';

/** What breakers can be told: to stay in a state by force, or `null` to follow their calls again. */
export type BreakerOrder = CircuitState.FORCED_OPEN | CircuitState.DISABLED | null;

interface Obeyed {
  readonly to: CircuitState;
  readonly byHand: CircuitTransitionReason;
  readonly byFleet: CircuitTransitionReason;
}

const FORCED = {
  [CircuitState.FORCED_OPEN]: { byHand: 'forced-open', byFleet: 'fleet-forced' },
  [CircuitState.DISABLED]: { byHand: 'disabled', byFleet: 'fleet-disabled' },
} as const;

/** What an order comes to. */
export function obeyed(order: BreakerOrder): Obeyed {
  if (order === null) return { to: CircuitState.CLOSED, byHand: 'reset', byFleet: 'fleet-reset' };
  return { to: order, ...FORCED[order] };
}

export function isBreakerOrder(value: unknown): value is BreakerOrder {
  return value === null || (typeof value === 'string' && Object.hasOwn(FORCED, value));
}

/** An order to the fleet, of which a breaker is told. */
export type FleetOrder = Order & { readonly value: BreakerOrder };
