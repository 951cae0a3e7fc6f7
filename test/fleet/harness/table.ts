import { appendFile } from 'node:fs/promises';
import type { Findings } from './trial.js';

/** Where rows wait until all tests are over, then for `table-reporter.mjs`. */
const ROWS = process.env.BULWARK_FLEET_ROWS;

/** A line of the table at the end, also where the test of it fails. */
export async function tabulate(findings: Findings, holds: boolean): Promise<void> {
  if (ROWS === undefined) return;
  const { fault, calls, harmed, unhandled, quietP99, faultP99, upAgainMs } = findings;
  const row = [
    holds ? fault : `✗ ${fault}`,
    calls,
    harmed.length,
    unhandled.length,
    `${tenths(quietP99)} / ${tenths(faultP99)}`,
    upAgainMs === undefined ? '–' : `${tenths(upAgainMs / 1_000)} s`,
    findings.falseOpenings.length,
    `${findings.excessCalls}, ${findings.excessSlots}`,
  ];
  await appendFile(ROWS, `${JSON.stringify(row)}\n`);
}

const tenths = (value: number) => (Number.isNaN(value) ? '–' : value.toFixed(1));

/** In the place of a row. */
export async function note(text: string): Promise<void> {
  if (ROWS !== undefined) await appendFile(ROWS, `${JSON.stringify([text])}\n`);
}
