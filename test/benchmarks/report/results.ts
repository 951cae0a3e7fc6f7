import { cpus, totalmem } from 'node:os';
import { type Goal, goalOn, holds } from '../goals.js';
import type { Lab } from '../lab/lab.js';
import type { Effort } from '../lab/timing.js';
import type { Row, Section } from './section.js';

/** A row, judged. */
export interface Result extends Row {
  readonly holds?: boolean;
}

/** All that was measured on one Node. */
export interface Run {
  readonly node: string;
  readonly effort: Effort;
  readonly sections: { readonly title: string; readonly rows: readonly Result[] }[];
}

export async function measureAll(
  lab: Lab,
  sections: readonly Section[],
  onBegin: (title: string) => void,
): Promise<Run> {
  const run: Run = { node: lab.runtime.version, effort: lab.effort, sections: [] };
  for (const section of sections) {
    onBegin(section.title);
    const rows = await section.measure(lab);
    run.sections.push({
      title: section.title,
      rows: rows.map((row) => judge(row, lab.runtime.major)),
    });
  }
  return run;
}

export function machine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() || process.arch;
  return `${processors.length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`;
}

function judge({ goal, ...row }: Row, node: number): Result {
  if (goal === undefined || row.value === undefined) return row;
  const { atMost, atLeast }: Goal = goalOn(node, goal);
  const here = {
    ...(atMost !== undefined && { atMost }),
    ...(atLeast !== undefined && { atLeast }),
  };
  return { ...row, goal: here, holds: holds(here, row.value) };
}
