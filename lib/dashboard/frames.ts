import type { DashboardState } from './dashboard-state.js';

/** Sections that are sent as a whole. */
const LISTS = ['errors', 'transitions', 'chaos'] as const;

/** Turns the state into what goes over the wire: everything, or what has changed since the last time. */
export class Frames {
  /** What was sent last, by section and name. */
  private readonly sent = new Map<string, string>();

  constructor(private readonly state: DashboardState) {}

  /** A `Frame` with everything. It does not count as sent: others may still have to hear of it. */
  full(): string {
    const lists = LISTS.map((section) => [section, this.state[section]()] as const);
    return frame([...this.state.tables(), ...lists].map(([section, it]) => [section, json(it)]));
  }

  /** A `Frame` with what is new; nothing where nothing has changed. */
  changes(): string | undefined {
    const sections: [string, string][] = [];
    for (const [section, all] of this.state.tables()) {
      // Those that have changed are sent.
      const rows = all.map((row) => ({ name: row.name, text: json(row) }));
      const changed = rows.filter(({ name, text }) => this.isNew(`${section} ${name}`, text));
      if (changed.length > 0)
        sections.push([section, `[${changed.map(({ text }) => text).join(',')}]`]);
    }
    for (const section of LISTS) {
      const text = json(this.state[section]());
      if (this.isNew(section, text)) sections.push([section, text]);
    }
    return sections.length === 0 ? undefined : frame(sections);
  }

  private isNew(key: string, text: string): boolean {
    if (this.sent.get(key) === text) return false;
    this.sent.set(key, text);
    return true;
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
