import type { Phase } from '../script.js';

export interface FleetPhase extends Phase {
  /** What becomes of Redis when the phase begins. */
  readonly redis?: 'freezes' | 'starts anew';
}

const PAYMENTS_DOWN = { payments: 'unavailable' } as const;

export const FLEET_SCRIPT: readonly FleetPhase[] = [
  { title: 'healthy', seconds: 2, faults: {} },
  { title: 'payments down', seconds: 6, faults: PAYMENTS_DOWN },
  { title: 'payments down, Redis frozen', seconds: 5, faults: PAYMENTS_DOWN, redis: 'freezes' },
  { title: 'recovery, Redis still frozen', seconds: 4, faults: {} },
  { title: 'Redis killed, and back empty', seconds: 3, faults: {}, redis: 'starts anew' },
  { title: 'payments down again', seconds: 6, faults: PAYMENTS_DOWN },
  { title: 'recovery', seconds: 4, faults: {} },
];
