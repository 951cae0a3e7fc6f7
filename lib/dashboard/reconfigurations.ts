import { type ReconfiguredEvent, readableCopy } from '../index.js';

/** So many are kept, and so many options of each. */
const MAX_KEPT = 30;
const MAX_CHANGES = 30;

/** Options that were changed at run time. */
export interface Reconfiguration {
  /** ISO 8601. */
  at: string;
  by?: string;
  changes: { place: string; from: unknown; to: unknown }[];
  /** So many more were changed. */
  others?: number;
}

/** What was changed at run time, and by whom. */
export class Reconfigurations {
  private kept: Reconfiguration[] = [];

  add({ timestamp: at, by, changes }: ReconfiguredEvent & { timestamp: string }): void {
    const told: Reconfiguration = {
      at,
      ...(by !== undefined && { by }),
      changes: readableCopy(changes.slice(0, MAX_CHANGES)) as Reconfiguration['changes'],
    };
    if (changes.length > MAX_CHANGES) told.others = changes.length - MAX_CHANGES;
    this.kept = [told, ...this.kept].slice(0, MAX_KEPT);
  }

  newestFirst(): Reconfiguration[] {
    return this.kept;
  }
}
