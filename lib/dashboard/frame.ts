import type { OperationStats } from '../admin/rolling-stats.js';
import type { Trends } from '../admin/trend.js';
import type {
  Advice,
  ChaosRuleView,
  CircuitState,
  CircuitTransitionReason,
  HealthLevel,
} from '../index.js';
import type { PanelRow } from './panels.js';
import type { Reconfiguration } from './reconfigurations.js';

/** What the page is sent. Rows replace those of the same name; lists replace the list before. */
export interface Frame {
  /** ISO 8601. */
  at: string;
  /** Rows that are not in it are there no more. */
  whole?: true;
  /** The names of rows that are there no more, by table. */
  gone?: Record<string, string[]>;
  operations?: OperationRow[];
  trends?: Trends;
  breakers?: BreakerRow[];
  bulkheads?: BulkheadRow[];
  /** Of stages for which the page has no table of their own, by the module's option. */
  [stage: `stage:${string}`]: StageRow[] | undefined;
  /** Of panels that are shown where there is something in them. */
  [panel: `panel:${string}`]: PanelRow[] | undefined;
  errors?: ErrorGroup[];
  transitions?: Transition[];
  /** What would be better otherwise. */
  advice?: AdviceRow[];
  /** What was changed at run time. */
  reconfigurations?: Reconfiguration[];
  /** What is injected on purpose. */
  chaos?: ChaosRuleView[];
  /** Only where there are other instances to share with. */
  fleet?: FleetState;
  /** A row for each policy of the fleet. */
  policies?: FleetRow[];
}

/** An option of an operation that is better off with another value. */
export interface AdviceRow
  extends Pick<Advice, 'option' | 'current' | 'proposed' | 'because' | 'overrides'> {
  /** Of the operation and the option. */
  name: string;
  operation: string;
}

/** The instances of the fleet, in the order of the cells of its rows. */
export interface FleetState {
  /** Whether the others are reached. */
  up: boolean;
  /** How many there are. */
  size: number;
  instances: FleetInstanceRow[];
}

export interface FleetInstanceRow {
  id: string;
  /** The release of the application. */
  version?: string;
  /** The release of this library. */
  library: string;
  /** When it has started, ISO 8601. */
  since: string;
  /** Faults are injected on purpose. */
  chaos?: true;
  /** It is the one that shows the page. */
  here?: true;
  /** It tells nothing any more. */
  lost?: true;
}

/** A policy, and how it is in each instance that has it. */
export interface FleetRow {
  /** With the section, to tell it from others. */
  name: string;
  section: string;
  title: string;
  cells: ([state: string, status: HealthLevel] | null)[];
}

export interface OperationRow extends OperationStats {
  name: string;
  upstream?: string;
  critical?: boolean;
  /** What it shares with others: `circuit breaker payments`. */
  shares?: string[];
}

export interface BreakerRow {
  name: string;
  /** Of one that is kept by key: the name of the row of all keys. */
  oneOf?: string;
  /** Of the row of all keys: so many there are, and are open. The state is that of the worst. */
  keys?: number;
  openKeys?: number;
  state: CircuitState;
  /** Only in shadow mode, with what it would be if it acted. */
  mode?: 'shadow';
  wouldBe?: CircuitState;
  /** Over the window. */
  calls: number;
  failures: number;
  /** 0 to 100. */
  failureRate: number;
  /** 0 to 100; only where slow calls open the breaker. */
  slowCallRate?: number;
  windowMs?: number;
  windowCalls?: number;
  /** The first opening of this outage, ISO 8601. */
  openedAt?: string;
  /** What opened it; only while it is not closed. */
  opening?: Opening;
  /** By what it opened again, or its latest probe failed. */
  latest?: Failure;
  /** In whole seconds; only while it is open by itself. */
  halfOpenInS?: number;
}

/** An instance of a stage, with its snapshot. */
export interface StageRow {
  name: string;
  /** Of one that is kept by key: the name of the row of all keys. */
  oneOf?: string;
  status: HealthLevel;
}

export interface BulkheadRow extends StageRow {
  running: number;
  queued: number;
  maxConcurrent: number;
  queueLimit: number;
  rejected: number;
}

/** An error, and what it came from. */
export interface Failure {
  type: string;
  message: string;
  cause?: { type: string; message: string };
}

/** Why a breaker opened: what it had counted then, and the failure that made it. */
export interface Opening {
  reason: CircuitTransitionReason;
  calls: number;
  failures: number;
  /** 0 to 100. */
  failureRate: number;
  error?: Failure;
}

/** Errors that look the same; their `cause` is that of the latest. */
export interface ErrorGroup extends Failure {
  operation: string;
  upstream?: string;
  /** How many of them the callers did not notice. */
  handled: number;
  count: number;
  /** They were injected by chaos, or came of what was. */
  chaos?: true;
  /** Of the latest, ISO 8601. */
  at: string;
}

/** A change of a breaker's state, or an outage: all changes from its first opening on. */
export interface Transition {
  breaker: string;
  /** Of the first change, ISO 8601. */
  since: string;
  /** Of the latest change, like the state and the reason after it. */
  at: string;
  /** Before the first change. */
  from: CircuitState;
  to: CircuitState;
  reason: CircuitTransitionReason;
  /** Who has ordered the latest change, where that is known. */
  by?: string;
  /** Only of an outage, like the following. */
  opening?: Opening;
  /** How often it has opened again: after a failed probe, or soon after it had closed. */
  reopened?: number;
  /** By what it opened again the last time. */
  latest?: Failure;
  /** So many probes have been made and judged, and so many of them failed. */
  probes?: number;
  failedProbes?: number;
  /** Calls that it has rejected meanwhile. */
  rejected?: number;
}

/** The page has tables of their own for these. */
const TABLES = ['breakers', 'bulkheads'];

/** Where the page shows the instances that the module's option gives names. */
export function tableOf(section: string): string {
  return TABLES.includes(section) ? section : `stage:${section}`;
}
