import { jest } from '@jest/globals';
import type { FleetMember } from '../../lib/fleet/fleet.js';
import { MemoryFleet, type MemoryLink, settled } from './memory-fleet.js';

const VOTE = { openMs: 1_000, baseMs: 1_000, quorum: 1, seen: 0 };

describe('a fleet in memory', () => {
  let hub: MemoryFleet;

  beforeEach(() => {
    jest.useFakeTimers();
    hub = new MemoryFleet();
  });
  afterEach(() => jest.useRealTimers());

  function member(instance: string): MemoryLink {
    const ignored = () => undefined;
    const member: FleetMember = {
      instance,
      sync: async () => undefined,
      changed: ignored,
      refused: ignored,
      unanswered: ignored,
    };
    const link = hub.fleet().link(member) as MemoryLink;
    link.open();
    return link;
  }

  it('lets what one decides be heard by all, and be answered', async () => {
    const [one, other] = [member('one'), member('other')];
    const told = jest.fn();
    other.verdicts.listen('payments', told);
    const answer = await one.verdicts.vote('payments', VOTE);
    expect(answer).toMatchObject({ isOpen: true, leftMs: 1_000 });
    expect(told).toHaveBeenCalledWith(answer);
  });

  it('holds what is on its way, to lose, double and reorder it', async () => {
    const [one, other] = [member('one'), member('other')];
    const told = jest.fn();
    other.verdicts.listen('payments', told);
    hub.isHolding = true;
    const answer = one.verdicts.vote('payments', VOTE);
    hub.deliver();
    expect(hub.parcels.map(({ kind }) => kind)).toEqual(['message', 'message', 'answer']);
    hub.double(1);
    hub.deliver(1);
    expect(told).toHaveBeenCalledTimes(2);
    hub.lose(1);
    await jest.advanceTimersByTimeAsync(250);
    expect(await answer).toBeUndefined();
  });

  it('does not do what comes too late', async () => {
    const one = member('one');
    hub.isHolding = true;
    void one.verdicts.vote('payments', VOTE);
    await jest.advanceTimersByTimeAsync(501);
    hub.deliver();
    expect(hub.boards.verdicts.store.read('payments', hub.now()).isOpen).toBe(false);
  });

  it('answers nothing over a link that is cut, and is up again when all has been asked for', async () => {
    const one = member('one');
    await settled();
    one.cut();
    expect(await one.verdicts.read('payments')).toBeUndefined();
    expect(one.isUp).toBe(false);
    await one.mend();
    expect(one.isUp).toBe(true);
    expect(await one.verdicts.read('payments')).toMatchObject({ generation: 0 });
  });

  it('tells times as they go by on the clock of the instance', async () => {
    const one = member('one');
    one.clockRate = 1.1;
    await one.verdicts.vote('payments', VOTE);
    expect(hub.boards.verdicts.store.read('payments', hub.now()).leftMs).toBe(910);
  });
});
