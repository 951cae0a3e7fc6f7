import { randomUUID } from 'node:crypto';
import type { ErrorTracker, ResilienceEvent } from '../index.js';
import { readableCopy } from '../index.js';

/** So many are kept of each type: a flood of rejections does not wash away what opened the breaker. */
const MAX_OF_TYPE = 200;
/** Stages of an application's own may report any. */
const MAX_TYPES = 100;

/** An event as JSON has it: errors as the tracker tells them. */
export type ToldEvent = Record<string, unknown> & { type: string; timestamp: string };

interface Kept {
  readonly number: number;
  readonly event: ToldEvent;
}

/** What has happened since somebody asked last. */
export interface EventsSince {
  events: ToldEvent[];
  /** What to ask by the next time. */
  next: string;
  /** Whether there were others since, which are not kept any more, or were those of a process before this one. */
  missed: boolean;
}

/** The latest events, in the order in which they came. */
export class RecentEvents {
  /** Another process, or this one before it was started anew, knows nothing of the numbers. */
  private readonly era = randomUUID().slice(0, 8);
  private count = 0;
  private readonly kept = new Map<string, Kept[]>();
  /** The last one that is not kept any more. */
  private lost = 0;

  constructor(private readonly errors: Pick<ErrorTracker, 'describe'>) {}

  add(event: ResilienceEvent): void {
    const number = ++this.count;
    const { type } = event;
    const known = this.kept.get(type);
    if (known === undefined && this.kept.size >= MAX_TYPES) {
      this.lost = number;
      return;
    }
    const ofType = known ?? [];
    if (known === undefined) this.kept.set(type, ofType);
    ofType.push({ number, event: this.told(event) });
    if (ofType.length > MAX_OF_TYPE)
      this.lost = Math.max(this.lost, (ofType.shift() as Kept).number);
  }

  /**
   * @param cursor the `next` of an answer before; all that are kept without one
   * @returns nothing where it is no cursor
   */
  since(cursor: string | null): EventsSince | undefined {
    const asked = cursor === null ? { era: this.era, number: 0 } : partsOf(cursor);
    if (asked === undefined) return undefined;
    const isOurs = asked.era === this.era && asked.number <= this.count;
    const after = isOurs ? asked.number : 0;
    const events = [...this.kept.values()]
      .flat()
      .filter(({ number }) => number > after)
      .sort((one, other) => one.number - other.number)
      .map(({ event }) => event);
    const missed = cursor !== null && (!isOurs || after < this.lost);
    return { events, next: `${this.era}-${this.count}`, missed };
  }

  private told(event: ResilienceEvent): ToldEvent {
    const fields = Object.entries(event).map(([name, value]) => [
      name,
      name === 'error' || value instanceof Error ? this.errors.describe(value) : value,
    ]);
    return readableCopy(Object.fromEntries(fields)) as ToldEvent;
  }
}

function partsOf(cursor: string): { era: string; number: number } | undefined {
  const [, era, digits] = /^([\da-f]{8})-(\d{1,15})$/.exec(cursor) ?? [];
  return era === undefined ? undefined : { era, number: Number(digits) };
}
