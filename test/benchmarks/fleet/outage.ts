import type { Change } from './pod.js';
import { Pods, pause } from './pods.js';

const PODS = 20;
const CALLS_PER_SECOND = 50;
const BREAKER = { failureThreshold: 5, successThreshold: 2, timeoutMs: 1_000 };
const HEALTHY_MS = 1_000;
const DEAD_MS = 4_500;
const RECOVERY_MS = 3_000;
/** Changes that lie further apart are of different half-open times. */
const ROUND_GAP_MS = 500;

/** What an outage looked like from outside. */
export interface Outage {
  /** Calls that reached the dead dependency before everybody was open. */
  readonly reached: number;
  /** How many reached it in each half-open time. */
  readonly probes: readonly number[];
  /** From the first opening to that of each other, in ms. */
  readonly opened: readonly number[];
  /** From when as many were open as it takes to that of each other who was told so, in ms. */
  readonly told: readonly number[];
  /** From the first closing to that of each other, in ms. */
  readonly closed: readonly number[];
}

/** Lets the dependency of 20 pods die and come back, several times. */
export async function outages(redis: number | undefined, rounds: number): Promise<Outage[]> {
  const pods = await Pods.start(PODS, { redis, breaker: BREAKER });
  const seen: Outage[] = [];
  try {
    await pods.call(CALLS_PER_SECOND);
    for (let round = 0; round < rounds; round++) seen.push(await outage(pods));
  } finally {
    await pods.stop();
  }
  return seen;
}

async function outage(pods: Pods): Promise<Outage> {
  const { dependency } = pods;
  await pause(HEALTHY_MS);
  await pods.takeReports();
  await dependency.call('takeCalls');
  await dependency.call('fail', 'all');
  await pause(DEAD_MS);
  const whileDead = await pods.takeReports();
  const calls = await dependency.call('takeCalls');
  await dependency.call('fail', 'nobody');
  await pause(RECOVERY_MS);
  const after = await pods.takeReports();
  const openings = whileDead.flatMap(
    ({ changes }) => changes.find(({ to }) => to === 'OPEN') ?? [],
  );
  const own = openings.filter(({ reason }) => reason !== 'fleet-opened').sort(byTime);
  const told = openings.filter(({ reason }) => reason === 'fleet-opened');
  const allOpenAt = Math.max(...openings.map(({ at }) => at));
  const quorumAt = own[Math.min(1, own.length - 1)]?.at ?? Number.NaN;
  return {
    reached: calls.filter(({ at }) => at <= allOpenAt).length,
    probes: groups(calls.map(({ at }) => at).filter((at) => at > allOpenAt + ROUND_GAP_MS)),
    opened: distances(openings),
    told: told.map(({ at }) => at - quorumAt),
    closed: distances(
      after.flatMap(({ changes }) => changes.find(({ to }) => to === 'CLOSED') ?? []),
    ),
  };
}

/** How many lie together. */
function groups(times: number[]): number[] {
  const sizes: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const at of times.sort((a, b) => a - b)) {
    if (at - last > ROUND_GAP_MS) sizes.push(0);
    sizes[sizes.length - 1] = (sizes.at(-1) ?? 0) + 1;
    last = at;
  }
  return sizes;
}

function distances(changes: Change[]): number[] {
  const [first, ...others] = changes.sort(byTime);
  return first === undefined ? [] : others.map(({ at }) => at - first.at);
}

function byTime(one: Change, other: Change): number {
  return one.at - other.at;
}
