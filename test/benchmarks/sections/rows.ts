import baselines from '../cases/baselines.js';
import type { Goal } from '../goals.js';
import type { PeerCase } from '../peers/peers.js';
import type { Amount, CallRow } from '../report/section.js';

/** Something to compare with, and its row. */
export const PLAIN = { name: 'plain async call', takes: baselines.plain };
export const TIMER = { name: 'call + timer', takes: baselines.timer };

/** How many times something else it takes. */
export function times(of: CallRow, name: string, takes: Amount, goal?: Goal): CallRow {
  const ratio = [takes, of.takes] as const;
  return { name, takes, ratio, unit: `× ${of.name}`, ...(goal && { goal }) };
}

/** A peer, and how many times its time ours is. */
export function against({ peer, call }: PeerCase, own: CallRow, goal?: Goal): CallRow {
  const ratio = [own.takes, call] as const;
  const unit = `× its time: ${own.name}`;
  return { name: `  ${peer}`, takes: call, ratio, unit, ...(goal && { goal }) };
}
