import type { Ticket } from '../attempt/ticket.js';
import type { Scope } from '../context/scope.js';
import type { RateLimitReason } from './rate-limit.error.js';

/** Timers are exact to a ms. */
export const RESOLUTION_MS = 1;

/** Why a call is not let in. */
export class Refused {
  constructor(
    readonly reason: RateLimitReason,
    /** How long it would have been to its turn. */
    readonly waitMs: number,
  ) {}
}

/** The permit of a call that counts for something else than 1, or of a limit that is shared; of others it is the receipt. */
export class Weighed {
  constructor(
    readonly weight: number,
    readonly receipt: number,
    /** Which it was taken out of. */
    readonly bucket: object,
  ) {}
}

/** A call that waits for its turn, which ends with its permit or without. */
export type TurnTicket = Ticket<number | Weighed | Refused>;

/** That of who makes the call: the time of an attempt begins when it is let in. */
export function deadlineOf(scope: Scope | undefined): number {
  return scope?.caller?.deadline ?? Number.POSITIVE_INFINITY;
}

export function isLate(turnAt: number, deadline: number): boolean {
  return deadline - turnAt < RESOLUTION_MS;
}
