import type { SharedSnapshots, ShownSnapshot } from '../../lib/fleet/shared-snapshots.js';
import type { Board, MemoryFleet } from './memory-fleet.js';

const ASKED_MS = 1_900;
const KEPT_MS = 30_000;

interface Shown {
  readonly at: number;
  readonly snapshot: unknown;
}

/** The store's half of what instances show, by the same rules as the scripts of `RedisFleet`. */
export interface MemorySnapshots extends Board<SharedSnapshots> {
  readonly shown: Map<string, Shown>;
}

export function memorySnapshots(hub: MemoryFleet): MemorySnapshots {
  const shown = new Map<string, Shown>();
  let asked = Number.NEGATIVE_INFINITY;
  const look = (now: number): ShownSnapshot[] => {
    if (now - asked >= ASKED_MS) {
      asked = now;
      hub.publish('look', undefined);
    }
    for (const [instance, { at }] of shown) if (now - at > KEPT_MS) shown.delete(instance);
    return [...shown].map(([instance, { at, snapshot }]) => ({
      instance,
      ageMs: now - at,
      snapshot,
    }));
  };
  return {
    shown,
    clear: () => shown.clear(),
    side: (line) => ({
      listen(told) {
        line.listen('look', told);
      },
      async show(snapshot) {
        const plain = JSON.parse(JSON.stringify(snapshot)) as unknown;
        await line.ask((now) => void shown.set(line.instance, { at: now, snapshot: plain }));
      },
      async remove() {
        await line.ask(() => shown.delete(line.instance));
      },
      look: () => line.ask(look),
    }),
  };
}
