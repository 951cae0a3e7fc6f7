import { now, Since } from '../common/clock.js';
import { type InstanceSnapshot, snapshotFrom } from './instance-snapshot.js';
import type { Membership } from './membership.js';

/** An answer to more than one question in this time was not asked for by instances. */
const AGAIN_MS = 1_000;
/** Who has shown nothing for so long, while it was asked, is gone. */
const GONE_MS = 30_000;

/** An instance of the fleet, as it was when it has told. */
export interface FleetInstance extends InstanceSnapshot {
  /** The name of the instance. */
  readonly instance: string;
  /** How long ago it has told that, in ms: more than a few seconds where it is not reached, or gone. */
  readonly ageMs: number;
}

/** The fleet of an application, as this instance sees it. */
export class FleetView {
  private readonly started = new Since(now());
  /** When this instance has shown itself last. */
  private shown: Since | undefined = undefined;

  /** @internal */
  constructor(
    private readonly member: Membership,
    private readonly snapshot: () => Omit<InstanceSnapshot, 'upMs' | 'version'>,
  ) {
    member.link.snapshots.listen(() => void this.show());
    member.join({ sync: () => Promise.resolve(), leave: () => this.leave() });
  }

  /** What this instance is called in it. */
  get instance(): string {
    return this.member.instance;
  }

  /** Whether the others are reached at this moment. Calls go on without. */
  get isUp(): boolean {
    return this.member.link.isUp;
  }

  /** How many instances there were when they were last heard of, with this one. */
  get size(): number {
    return this.member.link.instances;
  }

  /**
   * How all instances are. Each tells it when somebody looks, and is seen by the next look: look again every
   * one or two seconds. Who is gone is there for half a minute; where the others are not reached this instance
   * is alone in it.
   */
  async look(): Promise<FleetInstance[]> {
    const all = (await this.member.link.snapshots.look()) ?? [];
    const others = all.flatMap(({ instance, ageMs, snapshot }): FleetInstance[] => {
      if (instance === this.instance || ageMs > GONE_MS) return [];
      const believed = snapshotFrom(snapshot);
      if (believed === undefined) this.member.refused();
      return believed === undefined ? [] : [{ ...believed, instance, ageMs }];
    });
    return [{ ...this.own(), instance: this.instance, ageMs: 0 }, ...others];
  }

  private own(): InstanceSnapshot {
    const { version } = this.member.options;
    const upMs = Math.round(this.started.elapsedMs(now()));
    return { ...(version !== undefined && { version }), ...this.snapshot(), upMs };
  }

  private async show(): Promise<void> {
    const at = now();
    if (this.shown !== undefined && this.shown.elapsedMs(at) < AGAIN_MS) return;
    this.shown = new Since(at);
    await this.member.link.snapshots.show(this.own());
  }

  private async leave(): Promise<void> {
    if (this.shown !== undefined) await this.member.link.snapshots.remove();
  }
}
