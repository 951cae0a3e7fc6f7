import { Alarm } from '../common/alarm.js';
import { clock, now } from '../common/clock.js';
import type { Membership } from '../fleet/membership.js';
import type { SlotLease } from '../fleet/shared-slots.js';
import { type Sharer, takePart } from '../fleet/take-part.js';

/** So often within a lease an instance says that it is there. */
const BEATS = 3;
/** After so many beats without a call it gives up its part, and costs nothing. */
const IDLE_BEATS = 3 * BEATS;
/** What it has by itself counts from so much later on than what others had of the fleet ends, of a lease. */
const MARGIN = 1 / 2;

/** So many requests were made by this process: also who comes after another of the same name is heard. */
let requests = 0;

/** Who is told of what others did. */
export interface SlotEvents {
  /** So many calls may run from now on. */
  limited(limit: number): void;
  /** What came before anything was known need not wait for it any more. */
  warmed(): void;
  /** Another instance has another `maxConcurrent` by the same name than this one's own. */
  disputed(own: number): void;
}

/** How many slots of a bulkhead its fleet shares an instance has: they are leased, and no call asks for one. */
export class LeasedSlots implements Sharer<[]> {
  /** So many calls may run. */
  limit = 0;
  /** Nothing was heard yet: what comes waits for the first answer. */
  isCold = false;
  private running = 0;
  private queued = 0;
  /** So many at most ran, waited, or were sent away at a time since it was said last. */
  private peak = 0;
  /** What others have to take as held, as far as it knows. */
  private held = 0;
  /** The last of its requests; 0 before the first. */
  private sequence = 0;
  private isAsking = false;
  /** There are no more for the time being. */
  private isShort = false;
  /** The fleet is not heard of. */
  private isAlone = true;
  /** When its lease ends. */
  private validUntil = Number.NEGATIVE_INFINITY;
  private idleBeats = 0;
  private era = clock.era;
  private readonly leaseMs: number;
  private readonly alarm = new Alarm(() => this.ring(Math.max(now(), this.alarm.dueAt)));
  /** Keeps the process while calls wait: for slots of others nothing else does. */
  private readonly patience: Alarm = new Alarm(() => this.holdProcess());
  private readonly endPart: () => void;

  constructor(
    private readonly name: string,
    private max: number,
    private readonly fleet: Membership,
    private readonly events: SlotEvents,
  ) {
    const { link, options } = fleet;
    this.leaseMs = options.bulkheadLeaseMs;
    this.alarm.letProcessEnd();
    if (link.isUp) this.isCold = true;
    else this.limit = this.evenShare;
    this.endPart = takePart(this, name, fleet, link.slots);
  }

  /** So many run and wait now. */
  used(running: number, queued: number): void {
    const isLess = running < this.running;
    this.running = running;
    this.queued = queued;
    if (queued > 0 !== this.patience.isSet) this.holdProcess();
    const demand = running + queued;
    if (demand > this.peak) this.peak = demand;
    if (this.isAlone) return;
    if (demand > this.limit && !this.isShort) this.askFor(demand);
    else if (isLess && this.held > this.limit && running <= this.limit) void this.ask();
  }

  /** All instances together have so many from now on, as far as this one knows. */
  change(max: number): void {
    this.max = max;
    this.isShort = false;
    this.peak = Math.max(this.peak, this.running + this.queued);
    if (this.isCold) return;
    if (this.isAlone) this.limitTo(this.evenShare);
    else {
      this.forgetQuestion();
      this.limitTo(Math.min(this.limit, max));
      void this.ask();
    }
  }

  private holdProcess(): void {
    if (this.queued > 0) this.patience.set(this.leaseMs);
    else this.patience.stop();
  }

  /** One was sent away that found no slot. */
  missed(): void {
    const demand = this.running + this.queued + 1;
    this.peak = Math.max(this.peak, demand);
    if (!this.isAlone && !this.isShort) this.askFor(demand);
  }

  /** Others have given slots back. */
  heard(): void {
    if (this.isAlone || this.running + this.queued <= this.limit) return;
    this.isShort = false;
    this.askFor(this.running + this.queued);
  }

  /** What had no calls of late asks when it has one, but for the first time. No other lets a call wait for this. */
  async sync(): Promise<void> {
    const isFirst = this.sequence === 0;
    const isIdle = this.peak === 0 && (isFirst || this.isCold || this.idleBeats > 0);
    if (isIdle) {
      this.isAlone = false;
      this.coolDown();
    } else if (!isFirst) {
      this.forgetQuestion();
    }
    if (isFirst || !isIdle) await this.ask();
  }

  lost(): void {
    this.isAlone = true;
    if (this.isCold) this.waitNoMore();
  }

  /** Whoever waits goes on without the others. */
  async leave(): Promise<void> {
    const { isAsking } = this;
    const isKnown = !(this.isAlone || this.isCold);
    this.forgetQuestion();
    this.goAlone();
    this.alarm.stop();
    this.patience.stop();
    if (isKnown || isAsking) await this.request(this.running, 0, isKnown);
  }

  dispose(): void {
    this.endPart();
    void this.leave();
  }

  private get evenShare(): number {
    return Math.max(1, Math.floor(this.max / this.fleet.link.instances));
  }

  private askFor(demand: number): void {
    if (demand > this.limit && this.limit < this.max) void this.ask();
  }

  private async ask(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    const askedAt = now();
    // Alone from the beginning it has gone by no share that would leave something for others.
    const isFirst = this.sequence === 0;
    const isBack = this.isAlone && !isFirst;
    const held = isFirst ? this.running : Math.max(this.limit, this.running);
    // Who comes back takes no more at first: the others may not have said yet what they hold.
    const wanted = isBack ? held : Math.max(this.isShort ? 0 : 1, this.peak);
    this.peak = this.running + this.queued;
    if (this.isCold && !this.alarm.isSet) this.alarm.set(this.fleet.options.probeWaitMs);
    const answer = this.request(held, wanted);
    const { sequence } = this;
    const lease = await answer;
    if (sequence !== this.sequence) return; // something else was said meanwhile
    this.isAsking = false;
    if (lease === undefined) this.unanswered();
    else this.answered(lease, held, wanted, askedAt);
    if (isBack) this.isShort = true;
    if (this.isCold) void this.ask();
    else this.alarm.set(this.leaseMs / BEATS);
  }

  private request(
    held: number,
    wanted: number,
    isKnown = this.sequence > 0 && (!this.isCold || this.held > 0),
  ): Promise<SlotLease | undefined> {
    const { max, leaseMs } = this;
    const sequence = ++requests;
    this.sequence = sequence;
    const request = { max, held, wanted, leaseMs, isKnown, sequence };
    return this.fleet.link.slots.lease(this.name, request);
  }

  private answered(lease: SlotLease, held: number, wanted: number, askedAt: number): void {
    const { slots, isDisputed } = lease;
    this.isAlone = false;
    this.validUntil = askedAt + this.leaseMs;
    this.held = Math.max(held, slots);
    this.isShort = slots < wanted;
    // More have come meanwhile than were asked for: as long as there are slots, they wait as the first did.
    const isEnough = this.isShort || slots >= Math.min(this.max, this.running + this.queued);
    if (this.isCold && !isEnough) this.handOut(slots);
    else this.limitTo(slots);
    if (isDisputed) this.events.disputed(this.max);
    if (this.held > Math.max(this.limit, this.running)) void this.ask();
  }

  private unanswered(): void {
    this.isShort = true;
    if (this.isCold) this.waitNoMore();
  }

  /** What came before all was heard goes by what was given until now; where that is nothing, without the others. */
  private waitNoMore(): void {
    if (this.held > 0) this.limitTo(Math.min(this.limit, this.max));
    else this.goAlone();
  }

  /** What it has by itself, and no more than that of the fleet's. */
  private goAlone(): void {
    this.isAlone = true;
    this.limitTo(this.evenShare);
  }

  /** What it was about to hear is of no matter any more. */
  private forgetQuestion(): void {
    this.sequence = ++requests;
    this.isAsking = false;
  }

  private coolDown(): void {
    this.forgetQuestion();
    this.alarm.stop();
    this.held = 0;
    this.isShort = false;
    this.limitTo(0);
    this.isCold = true;
  }

  private limitTo(limit: number): void {
    const wasCold = this.isCold;
    this.isCold = false;
    this.handOut(limit);
    if (wasCold) this.events.warmed();
  }

  private handOut(limit: number): void {
    if (limit === this.limit) return;
    this.limit = limit;
    this.events.limited(limit);
  }

  private ring(at: number): void {
    if (this.era !== clock.era) {
      this.era = clock.era;
      this.validUntil = clock.eraBeganAt + this.leaseMs;
    }
    const { isUp } = this.fleet.link;
    const isOver = at >= this.validUntil + MARGIN * this.leaseMs;
    if (this.isCold) {
      this.waitNoMore();
    } else if (at >= this.validUntil) {
      this.isAlone = true;
      this.limitTo(isOver ? this.evenShare : Math.min(this.limit, this.evenShare));
    } else if (isUp && this.isIdle()) {
      this.giveUp();
      return;
    }
    if (isUp) void this.ask();
    else if (!isOver) this.alarm.set(this.leaseMs / BEATS);
  }

  private isIdle(): boolean {
    this.idleBeats = this.peak > 0 ? 0 : this.idleBeats + 1;
    return this.idleBeats > IDLE_BEATS;
  }

  /** It asks again when there is a call. */
  private giveUp(): void {
    this.idleBeats = 0;
    this.coolDown();
    void this.request(0, 0);
  }
}
