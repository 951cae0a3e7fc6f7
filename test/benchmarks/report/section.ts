import type { Goal } from '../goals.js';
import type { Lab } from '../lab/lab.js';

/** One line of the report. */
export interface Row {
  /** What was measured. */
  readonly name: string;
  /** ns a call. */
  readonly ns?: number;
  /** Bytes a call. */
  readonly bytes?: number;
  /** What the goal is about. */
  readonly value?: number;
  /** What the value is of: `'× call + timer'`, `'ms late'`. */
  readonly unit?: string;
  readonly goal?: Goal;
}

/** What belongs together in the report. */
export interface Section {
  readonly title: string;
  measure(lab: Lab): Promise<Row[]>;
}
