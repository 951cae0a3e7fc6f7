import type { Goal } from '../goals.js';
import type { Case } from '../lab/case.js';
import type { Figure } from '../lab/figure.js';
import type { Lab } from '../lab/lab.js';

/** What a call takes, or what one takes above another. */
export type Amount = Case | readonly [call: Case, above: Case];

/** Cases, compared. */
export interface Comparison {
  readonly title: string;
  readonly rows: readonly CallRow[];
}

export interface CallRow {
  readonly name: string;
  /** What is shown in ns. */
  readonly takes: Amount;
  /** How many times the second the first is. */
  readonly ratio?: readonly [Amount, Amount];
  /** What the ratio is of: `'× call + timer'`. */
  readonly unit?: string;
  /** For the ratio. */
  readonly goal?: Goal;
}

/** What is measured in a way of its own. */
export interface Experiment {
  readonly title: string;
  measure(lab: Lab): Promise<Row[]>;
}

export type Section = Comparison | Experiment;

/** One line of the report. */
export interface Row {
  readonly name: string;
  readonly takes?: Figure;
  /** The same beside something else. */
  readonly compared?: Figure;
  /** For what is compared, else for what it takes; its minimum is judged. */
  readonly goal?: Goal;
  /** The host was slow whenever it was measured. */
  readonly isDoubtful?: boolean;
}
