import { Logger } from '@nestjs/common';
import { Alarm } from '../common/alarm.js';
import { now, Since } from '../common/clock.js';
import { timestamp } from '../common/timestamp.js';
import { Guard } from '../errors/guard.js';
import { REQUEST_CRITICALITIES, type SheddingReason } from '../shedding/overloaded.error.js';
import type { SheddenRequest, SheddingRecord } from '../shedding/shedding.telemetry.js';

/** It has ended when nothing was refused for so long, in ms. */
const QUIET_MS = 5_000;

/** Some time in which requests were refused, until none was for a while. */
interface Episode {
  readonly began: Since;
  last: Since;
  readonly isShadow: boolean;
  readonly counts: { sheddable: number; normal: number; critical: number };
}

const REASONS: Record<SheddingReason, string> = {
  'event-loop-delay': 'the event loop is late',
  'in-flight': 'too many requests are in flight',
};

/** One record when the server begins to refuse requests and one when it has ended, however many there are. */
export class SheddingLog implements SheddingRecord {
  private readonly logger = new Logger('Shedding');
  private readonly guard = new Guard('The logger of shedding');
  private readonly alarm = new Alarm(() => this.endIfQuiet());
  private episode: Episode | undefined = undefined;

  constructor(private readonly options: { readonly log: boolean }) {}

  refused({ criticality }: SheddenRequest, reason: SheddingReason, isShadow: boolean): void {
    if (!this.options.log) return;
    if (this.episode !== undefined && this.episode.isShadow !== isShadow) this.end();
    const since = new Since(now());
    if (this.episode === undefined) this.begin(since, reason, isShadow);
    const { counts } = this.episode as unknown as Episode;
    (this.episode as unknown as Episode).last = since;
    counts[criticality]++;
  }

  /** Writes what has been counted. */
  close(): void {
    this.end();
  }

  private begin(began: Since, reason: SheddingReason, isShadow: boolean): void {
    const counts = { sheddable: 0, normal: 0, critical: 0 };
    this.episode = { began, last: began, isShadow, counts };
    this.rest(QUIET_MS);
    const message = `The server ${isShadow ? 'would shed' : 'sheds'} requests: ${REASONS[reason]}`;
    const record = { event: 'shedding', message, state: 'began', reason, shadow: isShadow };
    this.guard.run(() => this.logger.warn({ ...record, timestamp: timestamp() }));
  }

  private rest(ms: number): void {
    this.alarm.set(ms);
    this.alarm.letProcessEnd();
  }

  private endIfQuiet(): void {
    if (this.episode === undefined) return;
    const leftMs = QUIET_MS - this.episode.last.elapsedMs(now());
    if (leftMs >= 1) this.rest(leftMs);
    else this.end();
  }

  private end(): void {
    const { episode } = this;
    if (episode === undefined) return;
    this.episode = undefined;
    this.alarm.stop();
    const { began, last, isShadow, counts } = episode;
    const at = now();
    const seconds = (began.elapsedMs(at) - last.elapsedMs(at)) / 1_000;
    const refused = counts.sheddable + counts.normal + counts.critical;
    const parts = REQUEST_CRITICALITIES.map((each) => `${counts[each]} ${each}`).join(', ');
    const message = `The server ${isShadow ? 'would have shed' : 'has shed'} ${refused} ${refused === 1 ? 'request' : 'requests'} in ${seconds.toFixed(1)} s (${parts}) and takes all again`;
    const record = { event: 'shedding', message, state: 'ended', refused, ...counts };
    this.guard.run(() => this.logger.log({ ...record, shadow: isShadow, timestamp: timestamp() }));
  }
}
