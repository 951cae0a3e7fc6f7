import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { MemoryFleet, settled } from '../support/memory-fleet.js';
import { Painter } from './painter.js';

const SUBJECTS = ['door', 'window'];

const pick = fc.nat({ max: 2 });
const step = fc.oneof(
  fc.record({
    do: fc.constant('paint' as const),
    who: pick,
    name: fc.constantFrom(...SUBJECTS),
    colour: fc.constantFrom('red', 'blue', null),
  }),
  fc.record({ do: fc.constantFrom('cut' as const, 'mend' as const), who: pick }),
  fc.record({
    do: fc.constantFrom('deliver' as const, 'double' as const, 'lose' as const),
    place: fc.nat({ max: 5 }),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 100, 1_000, 10_000) }),
  fc.record({ do: fc.constant('flush' as const) }),
);

describe('Orders to a fleet whose messages are lost, doubled and reordered', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 1_800_000_000_000 });
    Logger.overrideLogger(false);
  });
  afterEach(() => {
    Logger.overrideLogger(undefined as never);
    jest.useRealTimers();
  });

  it('are obeyed in the order of their generations, and are the same everywhere in the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const hub = new MemoryFleet();
        const painters = ['a', 'b', 'c'].map((name) => new Painter(hub, name));
        await settled();
        hub.isHolding = true;
        for (const each of steps) {
          const painter = 'who' in each ? (painters[each.who] as Painter) : undefined;
          if (each.do === 'paint') painter?.paint(each.name, each.colour);
          else if (each.do === 'cut') painter?.link.cut();
          else if (each.do === 'mend') void painter?.link.mend();
          else if (each.do === 'wait') await jest.advanceTimersByTimeAsync(each.ms);
          else if (each.do === 'flush') {
            hub.clear();
            await jest.advanceTimersByTimeAsync(1); // the generation of what was lost is of the past
          } else if ('place' in each) hub[each.do](each.place % Math.max(1, hub.parcels.length));
          await settled();
        }
        hub.isHolding = false;
        await hub.deliverAll();
        // Everybody has been away once more, and everything that is still to be said has been said.
        for (let round = 0; round < 2; round++) {
          await jest.advanceTimersByTimeAsync(5_000);
          for (const { link } of painters) link.cut();
          for (const { link } of painters) await link.mend();
          await settled();
        }
        for (const { obeyed } of painters)
          for (const generations of obeyed.values())
            expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
        for (const name of SUBJECTS) {
          const { value } = hub.boards.register.store.records.get(`colours/${name}`) ?? {};
          const seen = painters.map(({ colours }) => colours.get(name));
          if (value !== undefined) expect(seen).toEqual([value, value, value]);
          else expect(seen).toEqual([undefined, undefined, undefined]);
        }
        for (const { link } of painters) await link.close();
      }),
      { numRuns: 200 },
    );
  });
});
