import Table from 'cli-table3';
import type { UpstreamName } from '../upstreams/upstreams.js';
import type { Audit } from './audit.js';
import { LEFT, type RequestKind } from './customer.js';
import type { ShopOnTrial } from './shop-on-trial.js';
import { paint } from './terminal.js';

export interface Result {
  readonly shop: ShopOnTrial;
  readonly audit: Audit;
}

export type Row<R extends Result = Result> = [label: string, cell: (result: R) => string | number];

/** A machine that has time for the demo does not stand still for so long, all in all. */
const TOO_STILL_MS = 1_000;

export const ROWS: readonly Row[] = [
  ['requests', ({ shop }) => shop.tally.requests],
  ['successes', ({ shop }) => shop.tally.counts.ok],
  ['degraded', ({ shop }) => shop.tally.counts.degraded],
  ['failures', ({ shop }) => problem(shop.tally.counts.failed)],
  ['  orders lost', ({ shop }) => problem(shop.tally.failures('order').length)],
  ['  product pages lost', ({ shop }) => problem(shop.tally.failures('product').length)],
  ['answered within (median)', ({ shop }) => milliseconds(shop.tally.percentileMs(50))],
  ['answered within (99 %)', ({ shop }) => milliseconds(shop.tally.percentileMs(99))],
  ['calls that reached payments', reached('payments')],
  ['  while it was down', reachedBroken('payments')],
  ['calls that reached recommendations', reached('recommendations')],
  ['  while they hung', reachedBroken('recommendations')],
  ['calls that reached analytics', reached('analytics')],
  ['time to recover: recommendations', recovery('recommendations', 'product')],
  ['time to recover: payments', recovery('payments', 'order')],
  ['orders accepted', ({ audit }) => audit.accepted],
  ['  charged exactly once', ({ audit }) => audit.chargedOnce],
  ['  queued, and charged later', ({ audit }) => delivered(audit)],
];

export function table<R extends Result>(rows: readonly Row<R>[], results: readonly R[]): string {
  const grid = new Table({
    head: ['', ...results.map(({ shop }) => paint('bold', shop.label))],
    colAligns: ['left', ...results.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const [label, cell] of rows) {
    grid.push([label, ...results.map((result) => cell(result))]);
  }
  return grid.toString();
}

/**
 * What a protected shop owed its customers and did not deliver.
 *
 * @param stoodStillMs so long the machine stood still: who left meanwhile says nothing of the shop
 */
export function brokenPromises({ shop, audit }: Result, stoodStillMs: number): string[] {
  const failures = [...shop.tally.failures('order'), ...shop.tally.failures('product')];
  const lost = failures.filter((reason) => stoodStillMs < TOO_STILL_MS || reason !== LEFT);
  const reasons = [...new Set(lost)].slice(0, 3).join('; ');
  const uncharged = audit.accepted - audit.chargedOnce;
  return [
    ...(lost.length > 0 ? [`${lost.length} requests failed: ${reasons}`] : []),
    ...(uncharged > 0 ? [`${uncharged} accepted orders were not charged exactly once`] : []),
  ];
}

/** What holds of the figures on a machine that had too much to do. */
export function reservations(stoodStillMs: number): string[] {
  if (stoodStillMs < TOO_STILL_MS) return [];
  return [
    `This machine stood still for ${seconds(stoodStillMs)} altogether, so times say little here, and who left is not held against a shop.`,
  ];
}

function reached(name: UpstreamName): Row[1] {
  return ({ shop }) => shop.upstreams.services[name].calls;
}

function reachedBroken(name: UpstreamName): Row[1] {
  return ({ shop }) => shop.upstreams.services[name].callsWhileBroken;
}

/** Measured on the answers that suffer when this upstream does. */
function recovery(name: UpstreamName, kind: RequestKind): Row[1] {
  return ({ shop }) => {
    const healedAt = shop.healedAt.get(name);
    if (healedAt === undefined) return 'never broken';
    const ms = shop.tally.recoveryMs(kind, healedAt);
    return ms === undefined ? paint('red', 'not yet') : seconds(ms);
  };
}

function delivered({ queued, lastDeliveryMs }: Audit): string {
  return lastDeliveryMs === undefined ? '0' : `${queued} (all by ${seconds(lastDeliveryMs)})`;
}

export function problem(count: number): string {
  return paint(count > 0 ? 'red' : 'green', String(count));
}

export function milliseconds(ms: number): string {
  return `${Math.round(ms)} ms`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
