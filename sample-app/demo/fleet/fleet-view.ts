import { outcomes } from '../live-view.js';
import type { ShopOnTrial } from '../shop-on-trial.js';
import { paint } from '../terminal.js';
import type { ShopFleet } from './shop-fleet.js';

const MARKS: Record<string, string> = {
  CLOSED: paint('green', 'closed'),
  HALF_OPEN: paint('yellow', 'probes'),
};

/** One line: how its customers are served, and how the breakers of its instances stand. */
export function fleetView(trial: ShopOnTrial<ShopFleet>): string {
  const states = trial.shop.instances.map(({ state }) => MARKS[state] ?? paint('red', 'open  '));
  return `  ${trial.label.padEnd(16)}${outcomes(trial)}  ${states.join(' ')}`;
}
