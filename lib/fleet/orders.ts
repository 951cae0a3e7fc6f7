import { Logger } from '@nestjs/common';
import { Alarm } from '../common/alarm.js';
import { now, Since } from '../common/clock.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { Guard } from '../errors/guard.js';
import type { FleetLink, FleetMember } from './fleet.js';
import { type KnownOrder, ORDER_LIMITS, type Order } from './shared-register.js';

/** After this time what got no answer is asked again, where the fleet is still reached. */
const AGAIN_MS = 1_000;

/** What is done with the orders of a kind. */
export interface OrderHandler {
  /** Whether it is one: others, as of a newer release, are kept and not obeyed. */
  knows(value: unknown): boolean;
  obey(name: string, order: Order): void;
}

/** What an instance has been told of a subject. */
interface Told extends Omit<KnownOrder, 'ageMs'> {
  readonly since: Since;
}

/** An order of this instance that the store has not confirmed yet. */
interface Given extends Told {
  /** Whether it is what was obeyed last. */
  isObeyed: boolean;
}

/** What was said last of one of many. */
interface Held {
  readonly prefix: string;
  kind?: string;
  value?: unknown;
  who?: string | undefined;
}

/**
 * What has been told to all instances, as this one knows it: of each subject the last, which it obeys when it
 * hears of it, and goes on to know without the store. What the store has lost it puts back, also orders of
 * kinds that it does not know itself.
 */
export class Orders {
  private readonly logger = new Logger('Fleet');
  private readonly guard = new Guard('The logger of the fleet');
  private readonly handlers = new Map<string, OrderHandler>();
  private readonly told = new Map<string, Told>();
  private readonly given = new Map<string, Given>();
  /** Set where something got no answer, or could not be asked at once. */
  private readonly again = new Alarm(() => {
    if (this.member.link.isUp) void this.sync(); // else that comes when it is
  });
  private isPuttingBack = false;
  /** While something is said of all of a name together, the last that was said of one of them. */
  private held: Held | undefined = undefined;

  constructor(private readonly member: FleetMember & { readonly link: FleetLink }) {
    this.again.letProcessEnd();
    member.link.register.listen({
      ordered: (order) => this.hear(order, true),
      lost: () => {
        // Where nothing stands nothing would be put back, and all would be told for ever that there is nothing.
        if ([...this.told.values()].some(({ value }) => value !== null)) void this.putBack();
      },
    });
  }

  /** From now on the orders of a kind are obeyed. */
  on(kind: string, handler: OrderHandler): void {
    this.handlers.set(kind, handler);
  }

  /**
   * Tells all other instances; this one has done it. Where they are not reached they are told later, unless
   * somebody else was told something about the same since.
   *
   * @param who says so, if that is known
   * @throws ResilienceConfigurationError where the name is too long, or the value
   */
  give(kind: string, name: string, value: unknown, who?: string): void {
    if (this.held !== undefined && name.startsWith(this.held.prefix)) {
      Object.assign(this.held, { kind, value, who });
      return;
    }
    const subject = `${kind}/${name}`;
    const { instance } = this.member;
    const by = who === undefined ? instance : `${who} at ${instance}`;
    checkLength(subject, subject.length, ORDER_LIMITS.subjectLength);
    checkLength(subject, JSON.stringify(value).length, ORDER_LIMITS.valueLength);
    const after = this.told.get(subject)?.generation ?? 0;
    const since = new Since(now());
    const order = { subject, generation: 0, after, value, by, since, isObeyed: true };
    this.given.set(subject, order);
    this.log('Told to all instances', order);
    void this.exchange([order]).then((isAnswered) => {
      if (!isAnswered) this.log('The others will hear of it when they are reached', order);
    });
  }

  /**
   * What is said in here of single ones of a name is told to all instances once, about all of them.
   *
   * @param prefix of the names of single ones: what is said of others is told as ever
   * @param name of all of them; none where it was said of all before, and told to all then
   */
  together(prefix: string, name: string | undefined, action: () => void): void {
    const before = this.held;
    const held: Held = { prefix };
    this.held = held;
    try {
      action();
    } finally {
      this.held = before;
    }
    if (held.kind !== undefined && name !== undefined)
      this.give(held.kind, name, held.value, held.who);
  }

  /** What was told last of something, which may have been made since. */
  latest(kind: string, name: string): Order | undefined {
    const told = this.told.get(`${kind}/${name}`);
    return told !== undefined && this.handlers.get(kind)?.knows(told.value)
      ? orderOf(told)
      : undefined;
  }

  async sync(): Promise<void> {
    await this.exchange([...this.told.values(), ...this.given.values()]);
  }

  lost(): void {
    this.again.stop();
  }

  async leave(): Promise<void> {
    this.again.stop();
  }

  /** The store, or somebody else, does not know what this instance knows. */
  private async putBack(): Promise<void> {
    if (this.isPuttingBack) {
      this.again.set(AGAIN_MS); // however often it is told so
      return;
    }
    this.isPuttingBack = true;
    await this.exchange([...this.told.values()]);
    this.isPuttingBack = false;
  }

  /** @returns whether it was answered */
  private async exchange(orders: readonly Told[]): Promise<boolean> {
    const all = await this.member.link.register.exchange(orders.map(orderOf));
    if (all === undefined) {
      this.again.set(AGAIN_MS);
      return false;
    }
    for (const order of all) this.hear(order, false);
    for (const order of orders)
      if (this.given.get(order.subject) === order) this.confirm(order as Given, all);
    return true;
  }

  /** The store has taken it, or knows of a later one. */
  private confirm(order: Given, all: readonly Order[]): void {
    this.given.delete(order.subject);
    const told = this.told.get(order.subject);
    // What was said here before came to the store later than this.
    if (order.isObeyed && told !== undefined && !isSame(told.value, order.value))
      this.obey(orderOf(told));
    if (!all.some(({ subject }) => subject === order.subject))
      this.log(
        `There are ${ORDER_LIMITS.subjects} orders already; the others do not hear of it`,
        order,
      );
  }

  /** @param isNews whether who tells it may not know what this instance knows */
  private hear(order: Order, isNews: boolean): void {
    const { subject, generation, by } = order;
    const before = this.told.get(subject);
    if (before !== undefined && before.generation > generation) {
      if (isNews) void this.putBack();
      return;
    }
    if (before?.generation === generation) return;
    if (before === undefined && this.told.size >= ORDER_LIMITS.subjects && !this.makeRoom()) {
      this.member.refused('an order too many');
      return;
    }
    const since = new Since(now() - order.ageMs);
    this.told.set(subject, { ...order, after: 0, since });
    const given = this.given.get(subject);
    if (given?.isObeyed && this.isOurs(by)) return;
    if (given !== undefined) given.isObeyed = false;
    this.obey(order);
  }

  private isOurs(by: string): boolean {
    const { instance } = this.member;
    return by === instance || by.endsWith(` at ${instance}`);
  }

  private obey(order: Order): void {
    const { subject, value } = order;
    const end = subject.indexOf('/');
    const handler = this.handlers.get(subject.slice(0, end));
    if (handler === undefined) return;
    if (handler.knows(value)) handler.obey(subject.slice(end + 1), order);
    else this.member.refused(`an order of ${subject}`);
  }

  /** @returns whether something was forgotten */
  private makeRoom(): boolean {
    const at = now();
    const { size } = this.told;
    for (const [subject, { value, since }] of this.told)
      if (value === null && since.elapsedMs(at) > ORDER_LIMITS.takenBackMs)
        this.told.delete(subject);
    return this.told.size < size;
  }

  private log(what: string, { subject, value }: Told): void {
    const said = value === null ? 'reset' : JSON.stringify(value);
    const message = `${what}: ${subject}, ${said}`;
    this.guard.run(() => this.logger.warn({ event: 'fleet_order', message, subject, value }));
  }
}

function orderOf({ since, subject, generation, after, value, by }: Told): KnownOrder {
  const ageMs = Math.max(0, Math.floor(since.elapsedMs(now())));
  return { subject, generation, after, value, by, ageMs };
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function checkLength(subject: string, length: number, most: number): void {
  if (length <= most) return;
  throw new ResilienceConfigurationError(
    `order ${subject.slice(0, 100)}`,
    `is ${length} characters long; allowed: at most ${most}`,
  );
}
