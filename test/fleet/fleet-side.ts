import { randomUUID } from 'node:crypto';
import type { FleetLink, FleetMember, Verdict } from '../../lib/index.js';
import { RedisFleet, type RedisFleetOptions } from '../../lib/redis/index.js';

/** One instance's side of a fleet, without an application: what a test may wait for. */
export class FleetSide implements FleetMember {
  readonly instance = randomUUID();
  readonly link: FleetLink;
  readonly reasons: string[] = [];
  syncs = 0;
  refusals: string[] = [];
  missed = 0;
  private readonly waiting = new Set<() => void>();

  constructor(options: RedisFleetOptions) {
    this.link = new RedisFleet(options).link(this);
  }

  async sync(): Promise<void> {
    this.syncs++;
    this.look();
  }

  changed(isUp: boolean, reason?: Error): void {
    if (!isUp) this.reasons.push(String(reason?.message));
    this.look();
  }

  refused(what: string): void {
    this.refusals.push(what);
    this.look();
  }

  unanswered(): void {
    this.missed++;
  }

  /** Opens the link, and waits until it is up. */
  up(): Promise<void> {
    this.link.open();
    return this.until(() => this.link.isUp);
  }

  /** Waits for the next loss. */
  down(): Promise<void> {
    const before = this.reasons.length;
    return this.until(() => this.reasons.length > before);
  }

  /** Waits until so many instances are counted. */
  instances(count: number): Promise<void> {
    return this.until(() => this.link.instances === count);
  }

  /** The next verdict about a breaker that is heard. */
  verdict(breaker: string): Promise<Verdict> {
    return new Promise((resolve) => {
      const stop = this.link.verdicts.listen(breaker, (verdict) => {
        stop();
        resolve(verdict);
      });
    });
  }

  /** Opens a breaker for all. */
  open(breaker: string): Promise<Verdict | undefined> {
    const vote = { openMs: 1_000, baseMs: 1_000, quorum: 1, seen: 0 };
    return this.link.verdicts.vote(breaker, vote);
  }

  async close(): Promise<void> {
    await this.link.close();
  }

  /** What a link tells has no event for everything: it is looked at time and again. */
  async until(holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!holds()) return;
        clearInterval(timer);
        this.waiting.delete(look);
        resolve();
      };
      const timer = setInterval(look, 10);
      this.waiting.add(look);
    });
  }

  private look(): void {
    for (const look of [...this.waiting]) look();
  }
}
