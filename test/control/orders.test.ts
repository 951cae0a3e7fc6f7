import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { Painter } from './painter.js';

describe('Orders to the fleet', () => {
  let hub: MemoryFleet;
  let one: Painter;
  let other: Painter;

  beforeEach(async () => {
    jest.useFakeTimers({ now: 1_800_000_000_000 });
    Logger.overrideLogger(false);
    hub = new MemoryFleet();
    one = new Painter(hub, 'one');
    other = new Painter(hub, 'other');
    await settled();
  });
  afterEach(() => {
    Logger.overrideLogger(undefined as never);
    jest.useRealTimers();
  });

  it('are obeyed by all others at once, and not again by who has given them', async () => {
    one.paint('door', 'red');
    await settled();
    expect(other.painted).toEqual([['door', 'red', 'one', 0]]);
    expect(one.painted).toEqual([['door', 'red', 'itself', 0]]);
  });

  it('say who gave them, and are not obeyed again by the instance at which that was', async () => {
    one.paint('door', 'red', 'alice');
    await settled();
    expect(other.painted).toEqual([['door', 'red', 'alice at one', 0]]);
    expect(one.painted).toHaveLength(1);
  });

  it('are obeyed by who comes later, before its link is up', async () => {
    one.paint('door', 'red');
    await settled();
    await jest.advanceTimersByTimeAsync(7_000);
    const late = new Painter(hub, 'late');
    await settled();
    expect(late.painted).toEqual([['door', 'red', 'one', 7_000]]);
  });

  it('win by the order in which the store takes them, wherever two are given at once', async () => {
    hub.isHolding = true;
    one.paint('door', 'red');
    other.paint('door', 'blue');
    hub.deliver(1); // the other's comes first
    await hub.deliverAll();
    expect([one.door, other.door]).toEqual(['red', 'red']);
    expect(other.painted.at(-1)).toEqual(['door', 'red', 'one', 0]);
  });

  it('do not flicker where one instance gives several in a row', async () => {
    hub.isHolding = true;
    for (const colour of ['red', 'blue', 'green']) one.paint('door', colour);
    await hub.deliverAll();
    expect(one.painted.map(([, colour]) => colour)).toEqual(['red', 'blue', 'green']);
    expect([one.door, other.door]).toEqual(['green', 'green']);
  });

  it('that are heard twice or late change nothing any more', async () => {
    one.paint('door', 'red');
    await settled();
    hub.isHolding = true;
    one.paint('door', 'blue');
    hub.deliver();
    hub.isHolding = false;
    const messages = hub.parcels.filter(({ kind }) => kind === 'message');
    one.paint('door', 'green');
    await settled();
    for (const { deliver } of [...messages, ...messages]) deliver();
    await settled();
    expect(other.painted.map(([, colour]) => colour)).toEqual(['red', 'green']);
    expect([one.door, other.door]).toEqual(['green', 'green']);
  });

  it('reach who was cut off when it is back', async () => {
    other.link.cut();
    one.paint('door', 'red');
    await jest.advanceTimersByTimeAsync(60_000);
    expect(other.painted).toEqual([]);
    await other.link.mend();
    expect(other.painted).toEqual([['door', 'red', 'one', 60_000]]);
  });

  it('of who is cut off are told when it is back', async () => {
    one.link.cut();
    one.paint('door', 'red');
    await jest.advanceTimersByTimeAsync(5_000);
    expect(other.painted).toEqual([]);
    await one.link.mend();
    expect(other.painted).toEqual([['door', 'red', 'one', 5_000]]);
  });

  it('of who is cut off lose against what the others were told after that', async () => {
    one.link.cut();
    one.paint('door', 'red');
    await jest.advanceTimersByTimeAsync(5_000);
    other.paint('door', 'blue');
    await jest.advanceTimersByTimeAsync(5_000);
    await one.link.mend();
    expect([one.door, other.door]).toEqual(['blue', 'blue']);
    expect(one.painted.at(-1)).toEqual(['door', 'blue', 'other', 5_000]);
  });

  it('that got no answer are given again while the fleet is reached', async () => {
    hub.isHolding = true;
    one.paint('door', 'red');
    hub.lose();
    hub.isHolding = false;
    await jest.advanceTimersByTimeAsync(250);
    expect(other.painted).toEqual([]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(other.painted).toEqual([['door', 'red', 'one', 1_250]]);
  });

  it('that the store has lost are put back when somebody comes', async () => {
    one.paint('door', 'red');
    one.paint('window', 'blue');
    await settled();
    hub.clear();
    const late = new Painter(hub, 'late');
    await settled();
    expect(late.painted.map(([name, colour]) => [name, colour])).toEqual([
      ['door', 'red'],
      ['window', 'blue'],
    ]);
    hub.clear();
    other.link.cut();
    await other.link.mend();
    expect(hub.boards.register.store.records.size).toBe(2);
  });

  it('that only one knows of who was away are put back when it is back', async () => {
    one.paint('door', 'red');
    await settled();
    other.link.crash();
    one.link.cut();
    hub.clear();
    const late = new Painter(hub, 'late');
    late.paint('window', 'blue');
    await settled();
    expect(late.door).toBeUndefined();
    await one.link.mend();
    await settled();
    expect(late.door).toBe('red');
    expect(one.colours.get('window')).toBe('blue');
  });

  it('that were taken back do not come back by who was away meanwhile', async () => {
    one.paint('door', 'red');
    await settled();
    other.link.cut();
    one.paint('door', null);
    await settled();
    hub.clear();
    await other.link.mend(); // it puts back what it knows, which is older
    await settled();
    expect(other.painted.at(-1)).toEqual(['door', null, 'one', 0]);
    expect([one.door, other.door]).toEqual([null, null]);
  });

  it('that were taken back are forgotten by the store after a day', async () => {
    one.paint('door', null);
    await settled();
    await jest.advanceTimersByTimeAsync(86_400_001);
    other.link.cut();
    await other.link.mend();
    expect(hub.boards.register.store.records.size).toBe(0);
  });

  it('of a kind that is not known are kept for others, and put back', async () => {
    const { store } = hub.boards.register;
    one.orders.give('shapes', 'door', { round: true });
    await settled();
    expect([...store.records.keys()]).toEqual(['shapes/door']);
    expect([other.painted, other.refused]).toEqual([[], []]);
    hub.clear();
    one.link.cut();
    other.link.cut();
    await other.link.mend();
    expect(store.records.get('shapes/door')?.value).toEqual({ round: true });
  });

  it('with a value that is none of the kind are kept and not obeyed', async () => {
    one.orders.give('colours', 'door', 5);
    await settled();
    expect(other.painted).toEqual([]);
    expect(other.refused).toEqual(['an order of colours/door']);
    expect(other.orders.latest('colours', 'door')).toBeUndefined();
  });

  it('of single ones, said of all together, are given once of all', async () => {
    one.orders.together('house[', 'house[*]', () => {
      one.orders.give('colours', 'house[door]', 'red');
      one.orders.give('colours', 'house[window]', 'red');
    });
    one.orders.together('house[', undefined, () =>
      one.orders.give('colours', 'house[roof]', 'red'),
    );
    await settled();
    expect(other.painted).toEqual([['house[*]', 'red', 'one', 0]]);
  });

  it('are given also where the logger is broken', async () => {
    Logger.overrideLogger({
      log: () => undefined,
      error: () => undefined,
      warn() {
        throw new Error('broken');
      },
    });
    one.link.cut();
    one.paint('door', 'red');
    await settled();
    await one.link.mend();
    expect(other.door).toBe('red');
  });

  it('are refused where they are too long', () => {
    expect(() => one.orders.give('colours', 'door', 'x'.repeat(5_000))).toThrow(
      'order colours/door: is 5002 characters long; allowed: at most 4096',
    );
    expect(() => one.orders.give('colours', 'x'.repeat(500), 'red')).toThrow(
      'is 508 characters long; allowed: at most 500',
    );
  });

  it('are bounded in number, of which those go first that were taken back long ago', async () => {
    for (let n = 0; n < 1_000; n++) one.orders.give('colours', `wall-${n}`, null);
    await settled();
    one.paint('door', 'red');
    await settled();
    expect(other.painted.some(([name]) => name === 'door')).toBe(false);
    await jest.advanceTimersByTimeAsync(86_400_001);
    one.paint('door', 'blue');
    await settled();
    expect(other.painted.at(-1)).toEqual(['door', 'blue', 'one', 0]);
  });
});
