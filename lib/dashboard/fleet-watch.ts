import type { FleetInstance, FleetView } from '../index.js';
import type { FleetRow, FleetState } from './frame.js';

/** Who has told nothing for so long, in ms, is not reached any more. */
const LOST_MS = 6_000;
/** As the view of the fleet forgets who is gone, in ms. */
const GONE_MS = 30_000;
/** More are no help to somebody who looks. */
const MAX_INSTANCES = 50;
const MAX_ROWS = 1_000;
/** When an instance has started is shown no finer than this, in ms: else it would change each time. */
const GRAIN_MS = 10_000;

/** What the page shows of a fleet: as it was when somebody looked a second ago, and asks for the next time. */
export class FleetWatch {
  private seen: readonly FleetInstance[] = [];
  private seenAt = 0;
  private isLooking = false;

  /** @param now ms on a monotonic clock */
  constructor(
    private readonly fleet: FleetView,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** To be asked as often as somebody is shown it. */
  read(): { state: FleetState; rows: FleetRow[] } {
    void this.look();
    const { fleet, seen } = this;
    const sinceMs = this.now() - this.seenAt;
    const instances = seen.map(({ instance: id, version, library, upMs, chaos, ageMs }) => ({
      id,
      ...(version !== undefined && { version }),
      library,
      since: startOf(upMs + ageMs + sinceMs),
      ...(chaos && { chaos: true as const }),
      ...(id === fleet.instance && { here: true as const }),
      ...(ageMs + sinceMs > LOST_MS && { lost: true as const }),
    }));
    return { state: { up: fleet.isUp, size: fleet.size, instances }, rows: rowsOf(seen) };
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    const all = await this.fleet.look();
    this.isLooking = false;
    this.take(all);
  }

  /** The others are not reached at the moment: what they told last stays, and fades. */
  private take(all: FleetInstance[]): void {
    const at = this.now();
    const sinceMs = at - this.seenAt;
    const kept = this.fleet.isUp
      ? []
      : this.seen
          .filter(({ instance }) => !all.some((other) => other.instance === instance))
          .map((other) => ({ ...other, ageMs: other.ageMs + sinceMs }))
          .filter(({ ageMs }) => ageMs <= GONE_MS);
    this.seen = [...all, ...kept]
      .sort((one, other) => (one.instance < other.instance ? -1 : 1))
      .slice(0, MAX_INSTANCES);
    this.seenAt = at;
  }
}

function startOf(agoMs: number): string {
  return new Date(Math.round((Date.now() - agoMs) / GRAIN_MS) * GRAIN_MS).toISOString();
}

/** One of each policy, with a cell for each instance. */
function rowsOf(seen: readonly FleetInstance[]): FleetRow[] {
  const rows = new Map<string, FleetRow>();
  for (const [index, { policies }] of seen.entries())
    for (const { section, name: title, state, status } of policies) {
      const name = `${section}/${title}`;
      const row = rows.get(name) ?? { name, section, title, cells: seen.map(() => null) };
      row.cells[index] = [state, status];
      rows.set(name, row);
    }
  return [...rows.values()].slice(0, MAX_ROWS);
}
