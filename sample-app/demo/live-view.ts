import { SCRIPT_SECONDS } from './script.js';
import type { ShopOnTrial } from './shop-on-trial.js';
import { paint } from './terminal.js';

const BAR_WIDTH = 40;

interface Health {
  readonly breakers: Record<string, { state: string }>;
  readonly queuedCharges: number;
}

/** The lines that are redrawn while the script runs. */
export async function liveView(
  elapsedSeconds: number,
  phase: string,
  protectedShop: ShopOnTrial,
  unprotectedShop: ShopOnTrial,
): Promise<string[]> {
  return [
    `[${elapsedSeconds.toFixed(1).padStart(4)}s] ${phase.padEnd(21)}${bar(elapsedSeconds)}`,
    `  protected    ${outcomes(protectedShop)}`,
    `               ${await state(protectedShop)}`,
    `  unprotected  ${outcomes(unprotectedShop)}`,
  ];
}

function bar(elapsedSeconds: number): string {
  if (!process.stdout.isTTY) return '';
  const done = Math.round(Math.min(elapsedSeconds / SCRIPT_SECONDS, 1) * BAR_WIDTH);
  return paint('cyan', '█'.repeat(done)) + paint('dim', '░'.repeat(BAR_WIDTH - done));
}

function outcomes({ tally }: ShopOnTrial): string {
  const { ok, degraded, failed } = tally.counts;
  return [
    `ok ${paint('green', String(ok).padEnd(4))}`,
    `degraded ${paint(degraded > 0 ? 'yellow' : 'dim', String(degraded).padEnd(4))}`,
    `failed ${paint(failed > 0 ? 'red' : 'dim', String(failed).padEnd(4))}`,
  ].join(' ');
}

/** As the shop itself reports it. */
async function state({ url }: ShopOnTrial): Promise<string> {
  const response = await fetch(`${url}/health`);
  const { breakers, queuedCharges } = (await response.json()) as Health;
  const states = Object.entries(breakers).map(
    ([name, { state }]) => `${name} ${paint(state === 'CLOSED' ? 'green' : 'red', state)}`,
  );
  return `${states.join(', ')}, queued ${queuedCharges}`;
}
