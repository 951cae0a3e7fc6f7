import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Alarm } from '../common/alarm.js';
import type { MetricsRecorder } from '../common/metrics.js';
import type { Fleet, FleetLink, FleetMember, FleetOptions } from './fleet.js';
import type { FleetEvent } from './fleet.telemetry.js';
import { Orders } from './orders.js';

/** So many participants ask at a time, so that the answers come in time. */
const SYNCED_AT_ONCE = 100;

/** Its last questions are answered by then, or will not be. */
const ENDED_WITHIN_MS = 10_000;

/** Something of an application that its fleet shares: a breaker, a rate limit. */
export interface Participant {
  /** Asks how it stands. Never rejects. */
  sync(): Promise<void>;
  /** The others are reached no more. */
  lost?(): void;
  /** The application ends: gives back what it holds. Never rejects. */
  leave?(): Promise<void>;
}

/** Where a member reports to. */
export interface FleetReports {
  readonly metrics: Pick<MetricsRecorder, 'increment' | 'gauge'>;
  readonly events: { emit(event: FleetEvent): void };
}

/** How an application takes part in its fleet. */
export class Membership implements FleetMember {
  readonly instance = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  readonly options: Readonly<Required<FleetOptions>>;
  readonly link: FleetLink;
  /** What has been told to all instances. */
  readonly orders: Orders;
  private readonly participants = new Set<Participant>();
  private tellSynced: () => void = () => undefined;

  constructor(
    fleet: Fleet,
    private readonly reports: FleetReports,
  ) {
    this.options = {
      quorum: 2,
      probeWaitMs: 100,
      warmStartMs: 500,
      bulkheadLeaseMs: 3_000,
      rateLimitLeaseMs: 100,
      ...fleet.options,
    };
    this.link = fleet.link(this);
    this.orders = new Orders(this);
    this.participants.add(this.orders); // before all others, which may be made as it is told
    reports.metrics.gauge('fleet.up', 0);
  }

  /** @returns ends its part */
  join(participant: Participant): () => void {
    this.participants.add(participant);
    if (this.link.isUp) void participant.sync();
    return () => this.participants.delete(participant);
  }

  /** Resolves when it is known what the others know, or when that takes too long. */
  begin(): Promise<void> {
    return new Promise((resolve) => {
      const alarm = new Alarm(resolve);
      alarm.set(this.options.warmStartMs);
      this.tellSynced = () => {
        alarm.stop();
        resolve();
      };
      this.link.open();
    });
  }

  /** The application has ended. */
  async end(): Promise<void> {
    // What it waits for keeps no process alive, which would end before the hooks that come after this.
    const alive = new Alarm(() => undefined);
    alive.set(ENDED_WITHIN_MS);
    await Promise.all([...this.participants].map((each) => each.leave?.()));
    await this.link.close();
    alive.stop();
  }

  async sync(): Promise<void> {
    const waiting = [...this.participants];
    while (waiting.length > 0)
      await Promise.all(waiting.splice(0, SYNCED_AT_ONCE).map((each) => each.sync()));
  }

  changed(isUp: boolean, reason?: Error): void {
    const { instances } = this.link;
    const event: FleetEvent = { type: 'fleet', up: isUp, instances };
    if (reason !== undefined) event.reason = reason.message;
    this.reports.metrics.gauge('fleet.up', isUp ? 1 : 0);
    this.reports.events.emit(event);
    if (isUp) this.tellSynced();
    else for (const each of this.participants) each.lost?.();
  }

  refused(): void {
    this.reports.metrics.increment('fleet.refused');
  }

  unanswered(): void {
    this.reports.metrics.increment('fleet.unanswered');
  }
}
