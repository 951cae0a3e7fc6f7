import type { Fault } from '../upstreams/fault.js';
import type { UpstreamName } from '../upstreams/upstreams.js';

export interface Phase {
  readonly title: string;
  readonly seconds: number;
  /** Upstreams that are not listed are healthy. */
  readonly faults: Partial<Record<UpstreamName, Fault>>;
}

export const SCRIPT: readonly Phase[] = [
  { title: 'healthy', seconds: 3, faults: {} },
  { title: 'recommendations hang', seconds: 5, faults: { recommendations: 'hang' } },
  { title: 'payments down', seconds: 6, faults: { payments: 'unavailable' } },
  { title: 'recovery', seconds: 5, faults: {} },
];

/** The same outage, for a shop that only watches. It learns what is usual from so many customers. */
export const REHEARSAL: readonly Phase[] = [
  { title: 'healthy', seconds: 8, faults: {} },
  { title: 'recommendations hang', seconds: 3, faults: { recommendations: 'hang' } },
  { title: 'payments down', seconds: 3, faults: { payments: 'unavailable' } },
  { title: 'recovery', seconds: 3, faults: {} },
];

export function lengthOf(script: readonly Phase[]): number {
  return script.reduce((total, { seconds }) => total + seconds, 0);
}
