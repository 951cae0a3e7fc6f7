import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Participant } from '../../lib/fleet/membership.js';
import { Membership } from '../../lib/fleet/membership.js';
import {
  type Fleet,
  type FleetLink,
  type FleetMember,
  type FleetOptions,
  InMemoryMetrics,
} from '../../lib/index.js';
import { ErrorTracker } from '../../lib/observability/error-tracker.js';
import { NO_REPORTS } from '../support/fleet-reports.js';

/** A fleet whose link does what the test says. */
class ScriptedFleet implements Fleet {
  isUp = false;
  opened = 0;
  closed = 0;
  member!: FleetMember;

  constructor(readonly options: FleetOptions = {}) {}

  link(member: FleetMember): FleetLink {
    this.member = member;
    const fleet = this;
    const listen = () => () => undefined;
    return {
      get isUp() {
        return fleet.isUp;
      },
      instances: 1,
      open: () => void this.opened++,
      close: async () => void this.closed++,
      register: { listen, exchange: async () => undefined },
      snapshots: { listen },
    } as unknown as FleetLink;
  }

  async up(): Promise<void> {
    await this.member.sync();
    this.isUp = true;
    this.member.changed(true);
  }

  down(reason: string): void {
    this.isUp = false;
    this.member.changed(false, new Error(reason));
  }
}

function participant() {
  return {
    sync: jest.fn<Participant['sync']>().mockResolvedValue(undefined),
    lost: jest.fn(),
    leave: jest.fn<() => Promise<void>>().mockResolvedValue(undefined),
  };
}

describe('An instance in its fleet', () => {
  let fleet: ScriptedFleet;
  let membership: Membership;

  beforeEach(() => {
    jest.useFakeTimers();
    fleet = new ScriptedFleet({ warmStartMs: 300 });
    membership = new Membership(fleet, NO_REPORTS);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('has begun when all that is shared has asked how it stands', async () => {
    const one = participant();
    membership.join(one);
    const begun = jest.fn();
    void membership.begin().then(begun);
    await jest.advanceTimersByTimeAsync(100);
    expect([fleet.opened, begun.mock.calls.length]).toEqual([1, 0]);
    await fleet.up();
    await jest.advanceTimersByTimeAsync(0);
    expect([one.sync.mock.calls.length, begun.mock.calls.length]).toEqual([1, 1]);
  });

  it('has begun after the time for that where the fleet is not reached', async () => {
    const begun = jest.fn();
    void membership.begin().then(begun);
    fleet.down('not there');
    await jest.advanceTimersByTimeAsync(299);
    expect(begun).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(begun).toHaveBeenCalled();
  });

  it('lets those ask that come while others do, and those that come later', async () => {
    const [early, late, later] = [participant(), participant(), participant()];
    early.sync.mockImplementation(async () => {
      if (early.sync.mock.calls.length === 1) membership.join(late);
    });
    membership.join(early);
    await fleet.up();
    expect(late.sync).toHaveBeenCalledTimes(1);
    membership.join(later);
    expect(later.sync).toHaveBeenCalledTimes(1);
  });

  it('asks no more for who has ended its part', async () => {
    const one = participant();
    membership.join(one)();
    await fleet.up();
    fleet.down('gone');
    expect([one.sync, one.lost].map((each) => each.mock.calls.length)).toEqual([0, 0]);
  });

  it('tells all a loss, and not that it was never there', async () => {
    const one = participant();
    membership.join(one);
    fleet.down('not there');
    expect(one.lost).not.toHaveBeenCalled();
    await fleet.up();
    fleet.down('gone');
    expect(one.lost).toHaveBeenCalledTimes(1);
  });

  it('leaves once, before the link is closed', async () => {
    const one = participant();
    one.leave.mockImplementation(async () => {
      expect(fleet.closed).toBe(0);
    });
    membership.join(one);
    await Promise.all([membership.end(), membership.end()]);
    expect([one.leave.mock.calls.length, fleet.closed]).toEqual([1, 1]);
  });

  it('tells by an event, the log and metrics when the others are reached and when not, without secrets', async () => {
    const metrics = new InMemoryMetrics();
    const [events, log] = [jest.fn(), jest.fn()];
    const reports = { metrics, events: { emit: events }, fleetLog: { write: log } };
    new Membership(fleet, { ...reports, tracker: new ErrorTracker() });
    fleet.down('cannot reach redis://user:hunter2@cache:6379');
    expect(metrics.get('fleet.up')).toBe(0);
    await fleet.up();
    expect(metrics.get('fleet.up')).toBe(1);
    expect(events.mock.calls).toEqual([
      [{ type: 'fleet', up: false, instances: 1, reason: expect.stringContaining('@cache:6379') }],
      [{ type: 'fleet', up: true, instances: 1 }],
    ]);
    expect(log.mock.calls).toEqual(events.mock.calls);
    expect(JSON.stringify(events.mock.calls)).not.toContain('hunter2');
  });

  it('counts what it does not believe, and what was not answered, and says nothing', () => {
    const metrics = new InMemoryMetrics();
    const log = jest.fn();
    new Membership(fleet, { ...NO_REPORTS, metrics, fleetLog: { write: log } });
    for (let i = 0; i < 10_000; i++) fleet.member.refused('a message');
    fleet.member.unanswered();
    expect([metrics.get('fleet.refused'), metrics.get('fleet.unanswered')]).toEqual([10_000, 1]);
    expect(log).not.toHaveBeenCalled();
  });

  it('refuses options that a fleet has not', () => {
    expect(() => new Membership(new ScriptedFleet({ quorum: 0 }), NO_REPORTS)).toThrow(
      'fleet.quorum: is 0; allowed: a whole number from 1',
    );
  });
});
