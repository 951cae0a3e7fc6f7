import type { CircuitState, CircuitTransitionReason } from '../index.js';
import type { OperationStats } from './rolling-stats.js';

/** What the page is sent. Rows replace those of the same name; lists replace the list before. */
export interface Frame {
  /** ISO 8601. */
  at: string;
  operations?: OperationRow[];
  breakers?: BreakerRow[];
  bulkheads?: BulkheadRow[];
  errors?: ErrorGroup[];
  transitions?: Transition[];
}

export interface OperationRow extends OperationStats {
  name: string;
  upstream?: string;
  critical?: boolean;
  breaker?: string;
  bulkhead?: string;
}

export interface BreakerRow {
  name: string;
  state: CircuitState;
  /** Over the window. */
  calls: number;
  failures: number;
  /** 0 to 100. */
  failureRate: number;
  /** 0 to 100; only where slow calls open the breaker. */
  slowCallRate?: number;
  windowMs?: number;
  windowCalls?: number;
  openedAt?: string;
  /** In whole seconds; only while it is open by itself. */
  halfOpenInS?: number;
}

export interface BulkheadRow {
  name: string;
  running: number;
  queued: number;
  maxConcurrent: number;
  queueLimit: number;
  rejected: number;
}

/** Errors that look the same. */
export interface ErrorGroup {
  type: string;
  message: string;
  operation: string;
  upstream?: string;
  /** How many of them the callers did not notice. */
  handled: number;
  count: number;
  /** Of the latest, ISO 8601. */
  at: string;
}

export interface Transition {
  at: string;
  breaker: string;
  from: CircuitState;
  to: CircuitState;
  reason: CircuitTransitionReason;
}
