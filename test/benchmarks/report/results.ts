import { cpus, totalmem } from 'node:os';
import { type Goal, goalOn, holds } from '../goals.js';
import type { Lab } from '../lab/lab.js';
import { type Host, Race } from '../lab/race.js';
import type { Effort } from '../lab/timing.js';
import { casesIn, rowsOf } from './comparison.js';
import type { Row, Section } from './section.js';

/** A row, judged. */
export interface Result extends Row {
  readonly holds?: boolean;
}

/** All that was measured on one Node. */
export interface Run {
  readonly node: string;
  readonly effort: Effort;
  /** Nothing where no calls were timed. */
  readonly host?: Host;
  readonly sections: readonly { readonly title: string; readonly rows: readonly Result[] }[];
}

/** Times all calls first, those of all sections in turns; then come the experiments. */
export async function measureAll(
  lab: Lab,
  sections: readonly Section[],
  say: (progress: string) => void,
): Promise<Run> {
  const comparisons = sections.filter((each) => 'rows' in each);
  const cases = casesIn(comparisons);
  const race = await Race.run(lab, cases, (round, host) =>
    say(`calls, round ${round}: ${describeHost(host)}`),
  );
  const measured = [];
  for (const section of sections) {
    if ('measure' in section) say(section.title);
    const rows = 'rows' in section ? rowsOf(section, race) : await section.measure(lab);
    measured.push({
      title: section.title,
      rows: rows.map((row) => judge(row, lab.runtime.major)),
    });
  }
  return {
    node: lab.runtime.version,
    effort: lab.effort,
    ...(cases.length > 0 && { host: race.host() }),
    sections: measured,
  };
}

export function machine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() || process.arch;
  return `${processors.length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`;
}

export function describeHost({ fastest, median, slowest, processes, slow }: Host): string {
  const [from, middle, to] = [fastest, median, slowest].map((ns) => ns.toFixed(0));
  const verdict = slow > 0 ? `; the host was slow for ${slow} of ${processes} processes` : '';
  return `a plain call took ${from}–${to} ns, mostly ${middle}${verdict}`;
}

function judge({ goal, ...row }: Row, node: number): Result {
  const judged = row.compared ?? row.takes;
  if (goal === undefined || judged === undefined) return row;
  const { atMost, atLeast }: Goal = goalOn(node, goal);
  const here = {
    ...(atMost !== undefined && { atMost }),
    ...(atLeast !== undefined && { atLeast }),
  };
  return { ...row, goal: here, holds: holds(here, judged.minimum) };
}
