import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Alarm } from '../common/alarm.js';
import type { MetricsRecorder } from '../common/metrics.js';
import { checkOptions } from '../common/options.js';
import type { Fleet, FleetLink, FleetMember, FleetOptions } from './fleet.js';
import { fleetRules } from './fleet.options.js';
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
  readonly fleetLog: { write(event: FleetEvent): void };
  /** What may be said of an error, without secrets. */
  readonly tracker: { readonly redaction: { describe(error: unknown): { message: string } } };
}

/** The options in force. */
type ResolvedFleetOptions = Required<Omit<FleetOptions, 'version'>> & FleetOptions;

/** How an application takes part in its fleet. */
export class Membership implements FleetMember {
  readonly instance = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  readonly options: Readonly<ResolvedFleetOptions>;
  readonly link: FleetLink;
  /** What has been told to all instances. */
  readonly orders: Orders;
  private readonly participants = new Set<Participant>();
  /** Those that have yet to ask how it stands, since the store is reached. */
  private readonly unsynced = new Set<Participant>();
  private wasUp = false;
  private ended: Promise<void> | undefined;
  private tellSynced: () => void = () => undefined;

  /** @throws ResilienceConfigurationError */
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
      ...checkOptions<FleetOptions>('fleet', fleet.options ?? {}, fleetRules),
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
    else this.unsynced.add(participant);
    return () => {
      this.participants.delete(participant);
      this.unsynced.delete(participant);
    };
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
  end(): Promise<void> {
    this.ended ??= this.leave();
    return this.ended;
  }

  async sync(): Promise<void> {
    for (const each of this.participants) this.unsynced.add(each);
    while (this.unsynced.size > 0) {
      const next = [...this.unsynced].slice(0, SYNCED_AT_ONCE);
      for (const each of next) this.unsynced.delete(each);
      await Promise.all(next.map((each) => each.sync()));
    }
  }

  changed(isUp: boolean, reason?: Error): void {
    const { wasUp } = this;
    this.wasUp = isUp;
    this.tell(isUp, reason);
    if (isUp) {
      for (const each of this.unsynced) void each.sync(); // they have come after the others were
      this.unsynced.clear();
      this.tellSynced();
    } else if (wasUp) for (const each of this.participants) each.lost?.();
  }

  refused(): void {
    this.reports.metrics.increment('fleet.refused');
  }

  unanswered(): void {
    this.reports.metrics.increment('fleet.unanswered');
  }

  private tell(isUp: boolean, reason: Error | undefined): void {
    const { metrics, events, fleetLog, tracker } = this.reports;
    const event: FleetEvent = { type: 'fleet', up: isUp, instances: this.link.instances };
    if (reason !== undefined) event.reason = tracker.redaction.describe(reason).message;
    metrics.gauge('fleet.up', isUp ? 1 : 0);
    fleetLog.write(event);
    events.emit(event);
  }

  private async leave(): Promise<void> {
    // What it waits for keeps no process alive, which would end before the hooks that come after this.
    const alive = new Alarm(() => undefined);
    alive.set(ENDED_WITHIN_MS);
    await Promise.all([...this.participants].map((each) => each.leave?.()));
    await this.link.close();
    alive.stop();
    this.reports.metrics.gauge('fleet.up', 0);
  }
}
