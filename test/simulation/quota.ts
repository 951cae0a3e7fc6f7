import type { Scenario } from './scenario.js';

const WINDOW_MS = 1_000;

/**
 * What a partner allows: so many calls in each second of its clock, and for a while nothing at all to who
 * makes more, as firewalls have it. Which process of the caller a call is of, it does not know.
 */
export class Quota {
  readonly calls = { all: 0, refused: 0 };
  private window = 0;
  private inWindow = 0;
  private refusesUntilMs = 0;

  constructor(private readonly quota: Scenario['quota']) {}

  /** A call comes. @returns for how long it and all others are refused, in whole seconds, if it is */
  refusalS(atMs: number): number | undefined {
    this.calls.all++;
    if (this.quota === undefined) return undefined;
    const window = Math.floor(atMs / WINDOW_MS);
    if (window !== this.window) {
      this.window = window;
      this.inWindow = 0;
    }
    if (atMs >= this.refusesUntilMs && ++this.inWindow > this.quota.perSecond)
      this.refusesUntilMs = atMs + this.quota.penaltyMs;
    if (atMs >= this.refusesUntilMs) return undefined;
    this.calls.refused++;
    return Math.ceil((this.refusesUntilMs - atMs) / 1_000);
  }
}
