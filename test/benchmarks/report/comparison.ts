import type { Case } from '../lab/case.js';
import { derive, type Figure } from '../lab/figure.js';
import type { Race } from '../lab/race.js';
import type { Amount, CallRow, Comparison, Row } from './section.js';

/** All cases that are compared, each once. */
export function casesIn(comparisons: readonly Comparison[]): Case[] {
  const rows = comparisons.flatMap((each) => each.rows);
  return [...new Set(rows.flatMap(casesOf))];
}

export function rowsOf(comparison: Comparison, race: Race): Row[] {
  return comparison.rows.map((row) => rowOf(row, race));
}

function rowOf(row: CallRow, race: Race): Row {
  const { name, takes, ratio, unit = '', goal } = row;
  const isDoubtful = casesOf(row).some((each) => !race.metCalmHost(each));
  return {
    name,
    takes: derive((read) => amount(takes, race, read), 'ns'),
    ...(ratio && { compared: derive((read) => quotient(ratio, race, read), unit) }),
    ...(goal && { goal }),
    ...(isDoubtful && { isDoubtful }),
  };
}

function casesOf({ takes, ratio }: CallRow): Case[] {
  return [takes, ...(ratio ?? [])].flatMap(parts);
}

type Read = (figure: Figure) => number;

function quotient([above, below]: readonly [Amount, Amount], race: Race, read: Read): number {
  return amount(above, race, read) / amount(below, race, read);
}

function amount(of: Amount, race: Race, read: Read): number {
  const [call, above] = parts(of).map((each) => read(race.time(each)));
  return (call ?? Number.NaN) - (above ?? 0);
}

function parts(of: Amount): readonly Case[] {
  return 'source' in of ? [of] : of;
}
