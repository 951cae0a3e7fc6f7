import type { Fleet, FleetLink, FleetMember, FleetOptions } from '../../lib/fleet/fleet.js';
import type { SharedRegister } from '../../lib/fleet/shared-register.js';
import type { SharedSlots } from '../../lib/fleet/shared-slots.js';
import type { SharedSnapshots } from '../../lib/fleet/shared-snapshots.js';
import type { SharedTokens } from '../../lib/fleet/shared-tokens.js';
import type { SharedVerdicts } from '../../lib/fleet/shared-verdicts.js';
import { memoryRegister } from './memory-register.js';
import { memorySlots } from './memory-slots.js';
import { memorySnapshots } from './memory-snapshots.js';
import { memoryTokens } from './memory-tokens.js';
import { memoryVerdicts } from './memory-verdicts.js';

/** How long a question waits for its answer, in ms, as over Redis. */
const COMMAND_TIMEOUT_MS = 250;

/** One side of the store: what all instances share of a kind, and how one of them asks for it. */
export interface Board<Shared> {
  /** What an instance has of it. */
  side(line: Line): Shared;
  /** The store has lost everything. */
  clear(): void;
}

/** What a board's side of an instance may ask of its link. */
export interface Line {
  readonly instance: string;
  /**
   * Runs a step in the store, where the link lets it through and in time. Like a script over Redis, it is
   * not done where it comes later than the asker waits twice.
   *
   * @param step gets the store's time, in whole ms
   */
  ask<T>(step: (now: number) => T): Promise<T | undefined>;
  /** Told of what boards publish under a name. @returns ends that */
  listen<T>(name: string, told: (message: T) => void): () => void;
  /** A time that the store tells, as it goes by on the instance's own clock. */
  ownMs(storeMs: number): number;
  /** A time of the instance's own clock, as it goes by in the store. */
  storeMs(ownMs: number): number;
}

/** What is on its way: a question, its answer, or a message. */
export interface Parcel {
  readonly kind: 'question' | 'answer' | 'message';
  /** From or to which link. */
  readonly link: MemoryLink;
  /** Lets it arrive; again, it arrives twice. Where its link is cut it is lost. */
  deliver(): void;
}

/**
 * A store in the process, what is on its way to and from it, and the links of instances to it. Where
 * nothing is said, everything arrives at once.
 */
export class MemoryFleet {
  readonly links: MemoryLink[] = [];
  /** What is on its way while `isHolding`, the oldest first: a test lets it arrive in any order, or never. */
  readonly parcels: Parcel[] = [];
  /** Whether everything waits until a test delivers it. */
  isHolding = false;
  /** What the store has, by the link's name of it. */
  readonly boards = {
    verdicts: memoryVerdicts(this),
    tokens: memoryTokens(this),
    slots: memorySlots(this),
    register: memoryRegister(this),
    snapshots: memorySnapshots(this),
  };

  /** The store's own clock, in whole ms. */
  now(): number {
    return Date.now();
  }

  /** For the `fleet` of one application. */
  fleet(options?: FleetOptions): Fleet {
    const link = (member: FleetMember) => {
      const made = new MemoryLink(this, member);
      this.links.push(made);
      return made;
    };
    return options === undefined ? { link } : { link, options };
  }

  /** So many instances are connected. */
  get instances(): number {
    return this.links.filter((link) => link.isConnected).length;
  }

  /** A board tells all instances. */
  publish(name: string, message: unknown): void {
    for (const link of this.links)
      this.send({ kind: 'message', link, deliver: () => link.hear(name, message) });
  }

  send(parcel: Parcel): void {
    if (this.isHolding) this.parcels.push(parcel);
    else parcel.link.carry(parcel);
  }

  /** Lets the parcel at a place arrive: the oldest, where nothing else is said. */
  deliver(place = 0): void {
    const [parcel] = this.parcels.splice(place, 1);
    parcel?.link.carry(parcel);
  }

  /** Lets it arrive, and keeps it, to arrive again. */
  double(place = 0): void {
    const parcel = this.parcels[place];
    parcel?.link.carry(parcel);
  }

  lose(place = 0): void {
    this.parcels.splice(place, 1);
  }

  /** Everything arrives, and what comes of it, until nothing is on its way. */
  async deliverAll(): Promise<void> {
    while (this.parcels.length > 0) {
      this.deliver();
      await settled();
    }
  }

  /** The store has lost everything, and goes on. */
  clear(): void {
    for (const board of Object.values(this.boards)) board.clear();
  }
}

/** The link of one instance, which a test can cut and slow. */
export class MemoryLink implements FleetLink, Line {
  readonly verdicts: SharedVerdicts;
  readonly tokens: SharedTokens;
  readonly slots: SharedSlots;
  readonly register: SharedRegister;
  readonly snapshots: SharedSnapshots;
  isUp = false;
  isConnected = false;
  instances = 1;
  /** What goes to the store and what comes from it are each under way for so many ms. */
  slowMs = 0;
  /** How fast the instance's clock goes: 1.1 where it goes 11 s in ten. */
  clockRate = 1;
  /** Of everybody that listens on this link, by name. */
  private readonly listeners = new Map<string, Set<(message: never) => void>>();
  /** Ends each wait for an answer. */
  private readonly waits = new Set<() => void>();
  private isOpened = false;
  /** So many times it has been connected. */
  private connections = 0;

  constructor(
    private readonly hub: MemoryFleet,
    private readonly member: FleetMember,
  ) {
    const { verdicts, tokens, slots, register, snapshots } = hub.boards;
    this.verdicts = verdicts.side(this);
    this.tokens = tokens.side(this);
    this.slots = slots.side(this);
    this.register = register.side(this);
    this.snapshots = snapshots.side(this);
  }

  get instance(): string {
    return this.member.instance;
  }

  open(): void {
    this.isOpened = true;
    void this.mend();
  }

  async close(): Promise<void> {
    this.isOpened = false;
    this.drop();
  }

  /** The store is reached no more. */
  cut(reason = new Error('cut')): void {
    const wasUp = this.isUp;
    this.drop();
    if (wasUp) this.member.changed(false, reason);
  }

  /** The store is reached again: the link is up when all is asked for. */
  async mend(): Promise<void> {
    if (this.isConnected || !this.isOpened) return;
    this.isConnected = true;
    const connection = ++this.connections;
    for (const link of this.hub.links) if (link.isConnected) link.instances = this.hub.instances;
    await this.member.sync();
    if (!this.isConnected || connection !== this.connections) return; // it was cut meanwhile
    this.isUp = true;
    this.member.changed(true);
  }

  /** The process is gone, and has told nobody. */
  crash(): void {
    this.isOpened = false;
    this.drop();
    this.listeners.clear();
  }

  ask<T>(step: (now: number) => T): Promise<T | undefined> {
    const { hub } = this;
    if (!this.isConnected) return Promise.resolve(undefined);
    const notAfter = hub.now() + 2 * COMMAND_TIMEOUT_MS;
    return new Promise((resolve) => {
      const end = (answer?: T) => {
        clearTimeout(timer);
        this.waits.delete(end);
        resolve(answer);
      };
      const timer = setTimeout(() => {
        this.member.unanswered();
        end();
      }, COMMAND_TIMEOUT_MS);
      this.waits.add(end);
      const deliver = () => {
        const now = hub.now();
        if (now > notAfter) return;
        const answer = step(now);
        hub.send({ kind: 'answer', link: this, deliver: () => end(answer) });
      };
      hub.send({ kind: 'question', link: this, deliver });
    });
  }

  listen<T>(name: string, told: (message: T) => void): () => void {
    const all = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, all.add(told));
    return () => {
      all.delete(told);
      if (all.size === 0 && this.listeners.get(name) === all) this.listeners.delete(name);
    };
  }

  ownMs(storeMs: number): number {
    return storeMs * this.clockRate;
  }

  storeMs(ownMs: number): number {
    return ownMs / this.clockRate;
  }

  hear(name: string, message: unknown): void {
    for (const told of [...(this.listeners.get(name) ?? [])]) told(message as never);
  }

  /** A parcel goes over this link, which may be cut before it arrives. */
  carry({ deliver }: Parcel): void {
    if (!this.isConnected) return;
    if (this.slowMs === 0) deliver();
    else setTimeout(() => this.isConnected && deliver(), this.slowMs);
  }

  private drop(): void {
    this.isConnected = false;
    this.isUp = false;
    for (const end of [...this.waits]) end();
  }
}

/** Lets Promises that are settled be heard of. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
