import type { FleetMember } from '../../lib/fleet/fleet.js';
import { Orders } from '../../lib/fleet/orders.js';
import type { MemoryFleet, MemoryLink } from '../support/memory-fleet.js';

/** An instance that paints things as it is told by orders about `colours`. */
export class Painter {
  readonly orders: Orders;
  readonly link: MemoryLink;
  readonly painted: [name: string, colour: unknown, by: string, ageMs: number][] = [];
  /** How each thing looks. */
  readonly colours = new Map<string, unknown>();
  /** The generations that it obeyed, by thing. */
  readonly obeyed = new Map<string, number[]>();
  readonly refused: string[] = [];

  constructor(hub: MemoryFleet, instance: string) {
    const member: FleetMember & { link: MemoryLink } = {
      instance,
      link: undefined as unknown as MemoryLink,
      sync: () => this.orders.sync(),
      changed: (isUp) => (isUp ? undefined : this.orders.lost()),
      refused: (what) => this.refused.push(what),
      unanswered: () => undefined,
    };
    member.link = hub.fleet().link(member) as MemoryLink;
    this.link = member.link;
    this.orders = new Orders(member);
    this.orders.on('colours', {
      knows: (value) => value === null || typeof value === 'string',
      obey: (name, { value, by, ageMs, generation }) => {
        this.painted.push([name, value, by, ageMs]);
        this.colours.set(name, value);
        this.obeyed.set(name, [...(this.obeyed.get(name) ?? []), generation]);
      },
    });
    this.link.open();
  }

  /** Does it, and tells all others. */
  paint(name: string, colour: string | null, who?: string): void {
    this.painted.push([name, colour, 'itself', 0]);
    this.colours.set(name, colour);
    this.orders.give('colours', name, colour, who);
  }

  /** What was told last of the door. */
  get door(): unknown {
    return this.orders.latest('colours', 'door')?.value;
  }
}
