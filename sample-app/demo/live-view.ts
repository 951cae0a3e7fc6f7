import type { ShopOnTrial } from './shop-on-trial.js';
import { paint } from './terminal.js';

/** Of the labels. */
const WIDTH = 13;

/** The script goes on, whether or not a shop says how it is. */
const PATIENCE_MS = 500;
const TOO_BUSY = paint('yellow', 'too busy to say how it is');

interface Health {
  readonly breakers: Record<string, { state: string }>;
  readonly queuedCharges: number;
}

/** How the shops are doing; those that have breakers say how these are. */
export async function liveView(shops: readonly ShopOnTrial[]): Promise<string[]> {
  const lines = await Promise.all(
    shops.map(async (shop) => {
      const states = await state(shop);
      const head = `  ${shop.label.padEnd(WIDTH)}${outcomes(shop)}`;
      return states === undefined ? [head] : [head, `  ${''.padEnd(WIDTH)}${states}`];
    }),
  );
  return lines.flat();
}

export function outcomes({ tally }: ShopOnTrial): string {
  const { ok, degraded, failed } = tally.counts;
  return [
    `ok ${paint('green', String(ok).padEnd(4))}`,
    `degraded ${paint(degraded > 0 ? 'yellow' : 'dim', String(degraded).padEnd(4))}`,
    `failed ${paint(failed > 0 ? 'red' : 'dim', String(failed).padEnd(4))}`,
  ].join(' ');
}

/** As the shop itself reports it, if it does. */
async function state({ shop }: ShopOnTrial): Promise<string | undefined> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(`${shop.urls[0]}/health`, { signal }).catch(() => undefined);
  if (response === undefined) return TOO_BUSY;
  if (response.status === 404) return undefined;
  const health = (await response.json().catch(() => undefined)) as Health | undefined;
  if (health === undefined) return TOO_BUSY;
  const { breakers, queuedCharges } = health;
  const states = Object.entries(breakers).map(
    ([name, { state }]) => `${name} ${paint(state === 'CLOSED' ? 'green' : 'red', state)}`,
  );
  return `${states.join(', ')}, queued ${queuedCharges}`;
}
