import type { ShopOnTrial } from './shop-on-trial.js';
import { paint } from './terminal.js';

interface Health {
  readonly breakers: Record<string, { state: string }>;
  readonly queuedCharges: number;
}

/** How the two shops are doing. */
export async function liveView(
  protectedShop: ShopOnTrial,
  unprotectedShop: ShopOnTrial,
): Promise<string[]> {
  return [
    `  protected    ${outcomes(protectedShop)}`,
    `               ${await state(protectedShop)}`,
    `  unprotected  ${outcomes(unprotectedShop)}`,
  ];
}

export function outcomes({ tally }: ShopOnTrial): string {
  const { ok, degraded, failed } = tally.counts;
  return [
    `ok ${paint('green', String(ok).padEnd(4))}`,
    `degraded ${paint(degraded > 0 ? 'yellow' : 'dim', String(degraded).padEnd(4))}`,
    `failed ${paint(failed > 0 ? 'red' : 'dim', String(failed).padEnd(4))}`,
  ].join(' ');
}

/** As the shop itself reports it. */
async function state({ shop }: ShopOnTrial): Promise<string> {
  const response = await fetch(`${shop.urls[0]}/health`);
  const { breakers, queuedCharges } = (await response.json()) as Health;
  const states = Object.entries(breakers).map(
    ([name, { state }]) => `${name} ${paint(state === 'CLOSED' ? 'green' : 'red', state)}`,
  );
  return `${states.join(', ')}, queued ${queuedCharges}`;
}
