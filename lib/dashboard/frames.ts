import type { DashboardState } from './dashboard-state.js';

/** Turns the state into what goes over the wire: everything, or what has changed since the last time. */
export class Frames {
  /** What was sent last of each section, by name. */
  private readonly sent = new Map<string, Map<string, string>>();
  /** The rows that somebody may show, by section. */
  private readonly shown = new Map<string, Set<string>>();
  /** The latest slice of the trends that was sent. */
  private sentSlice = 0;

  constructor(private readonly state: DashboardState) {}

  /** A `Frame` with everything. It does not count as sent: others may still have to hear of it. */
  full(): string {
    const tables = this.state.tables();
    for (const [section, rows] of tables) for (const { name } of rows) this.show(section).add(name);
    const sections = [...tables, ...this.state.lists()].map(([section, it]): [string, string] => [
      section,
      json(it),
    ]);
    const trends = this.state.trends();
    // Who watches is sent each slice as it ends: when one was missed, nobody did.
    if (this.sentSlice < trends.last - 1) this.sentSlice = trends.last;
    return frame([['whole', 'true'], ...sections, ['trends', JSON.stringify(trends)]]);
  }

  /** A `Frame` with what is new; nothing where nothing has changed. */
  changes(): string | undefined {
    const sections: [string, string][] = [];
    const gone: Record<string, string[]> = {};
    for (const [section, all] of this.state.tables()) {
      // Those that have changed are sent.
      const rows = all.map((row) => ({ name: row.name, text: json(row) }));
      const changed = rows.filter(({ name, text }) => this.isNew(section, name, text));
      const left = this.takeLeft(section, new Set(rows.map(({ name }) => name)));
      if (left.length > 0) gone[section] = left;
      if (changed.length > 0)
        sections.push([section, `[${changed.map(({ text }) => text).join(',')}]`]);
    }
    for (const [section, it] of this.state.lists()) {
      const text = json(it);
      if (this.isNew(section, '', text)) sections.push([section, text]);
    }
    const trends = this.state.trends(this.sentSlice);
    if (trends.last > this.sentSlice) sections.push(['trends', JSON.stringify(trends)]);
    this.sentSlice = trends.last;
    if (Object.keys(gone).length > 0) sections.push(['gone', json(gone)]);
    return sections.length === 0 ? undefined : frame(sections);
  }

  private isNew(section: string, name: string, text: string): boolean {
    const sent = this.sent.get(section) ?? new Map<string, string>();
    if (sent.get(name) === text) return false;
    this.sent.set(section, sent.set(name, text));
    return true;
  }

  /** The names of rows that are shown, and are there no more. */
  private takeLeft(section: string, names: ReadonlySet<string>): string[] {
    const shown = this.show(section);
    const left = [...shown].filter((name) => !names.has(name));
    for (const name of left) this.sent.get(section)?.delete(name);
    this.shown.set(section, new Set(names));
    return left;
  }

  private show(section: string): Set<string> {
    const shown = this.shown.get(section) ?? new Set();
    this.shown.set(section, shown);
    return shown;
  }
}

function frame(sections: [name: string, json: string][]): string {
  const members = sections.map(([name, text]) => `${json(name)}:${text}`);
  return `{"at":${json(new Date().toISOString())},${members.join(',')}}`;
}

/** More than two decimals nobody sees, and a row would count as changed for them. */
function json(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'number' ? Math.round(each * 100) / 100 : each,
  );
}
