import { HEARTBEAT } from './presence-scripts.js';
import type { RedisClock } from './redis-clock.js';
import type { Session } from './session.js';

/** An instance that was not heard of for so many heartbeats is gone. */
const MISSING_HEARTBEATS = 3;

/** So many questions in a row are not answered until the session is over; the last of them is a heartbeat. */
const MAX_MISSED = 2;

/** Wherever it arrives late, an instance that has gone is counted for some seconds more, and that is all. */
const WHENEVER = Number.MAX_SAFE_INTEGER;

/** What a heartbeat writes, and what it tells. */
export interface HeartbeatParts {
  readonly instance: string;
  readonly intervalMs: number;
  /** Of when each instance will be gone. */
  readonly key: string;
  readonly ownChannel: string;
  readonly clock: RedisClock;
  counted(instances: number): void;
  /** Redis did not know the instance any more, and so maybe nothing of what it has written. */
  forgotten(): void;
  refused(what: string): void;
}

/** Says time and again that the instance is there, and so finds out whether its session still works. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  private isBeating = false;
  private wasKnown = false;
  /** Whether the last one has come back by the channel. */
  private isHeard = true;

  constructor(
    private readonly session: Session,
    private readonly parts: HeartbeatParts,
  ) {}

  /** @returns whether it was answered; else the session is over */
  async beat(): Promise<boolean> {
    const { session } = this;
    clearTimeout(this.timer);
    this.isBeating = true;
    let isAnswered: boolean | undefined;
    do isAnswered = await this.ask();
    while (isAnswered === undefined && !session.isOver);
    this.isBeating = false;
    if (session.isOver) return false;
    // By then also what has come in this turn of the event loop is read.
    this.timer = setTimeout(() => setImmediate(() => this.next()), this.parts.intervalMs).unref();
    return true;
  }

  /** Something was not answered: whether that is for all that is asked shows at once. */
  doubt(): void {
    if (!this.isBeating && this.wasKnown && !this.session.isOver) void this.beat();
  }

  /** It came by the channel. */
  heard(): void {
    this.isHeard = true;
  }

  private next(): void {
    if (this.session.isOver || this.isBeating) return;
    if (this.isHeard) void this.beat();
    else this.session.end(new Error('what is published does not arrive'));
  }

  /** @returns nothing where there was no answer, and it is to be asked again */
  private async ask(): Promise<boolean | undefined> {
    const { session, parts } = this;
    const { instance, intervalMs, key, ownChannel } = parts;
    const lifeMs = String(Math.ceil(MISSING_HEARTBEATS * intervalMs));
    this.isHeard = false;
    const args = [instance, lifeMs, ownChannel];
    const outcome = await session.ask(HEARTBEAT, [key], args, WHENEVER);
    if (session.isOver) return false;
    if ('failure' in outcome) {
      if (session.missed > 0 && session.missed < MAX_MISSED) return undefined;
      session.end(outcome.failure);
      return false;
    }
    return this.take(outcome.answer);
  }

  private take(answer: unknown): boolean {
    const { session, parts } = this;
    const [redisMs, instances, added] = Array.isArray(answer) ? (answer as unknown[]) : [];
    if (!isCount(redisMs) || !isCount(instances)) {
      parts.refused('an answer to a heartbeat');
      session.end(new Error('a heartbeat was not answered as Redis does'));
      return false;
    }
    parts.clock.set(redisMs, performance.now());
    parts.counted(instances);
    if (this.wasKnown && added === 1) parts.forgotten();
    this.wasKnown = true;
    return true;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
