import { TimeWindow } from '../common/time-window.js';
import { OTHER } from './keyed-counter.js';

/** How many calls failed lately, in all and by operation; a bounded number of operations. */
export class CallRates {
  /** All calls since the start, or since `clear()`. */
  total = 0;
  byOperation = new Map<string, TimeWindow>();

  constructor(
    private readonly windowMs: number,
    private readonly maxOperations: number,
  ) {}

  /** Takes the calls of one operation, also after `clear()`. */
  callsOf(operation: string): OperationCalls {
    return new OperationCalls(this, operation);
  }

  rate(operation: string | undefined, at: number): number {
    const windows =
      operation === undefined ? this.byOperation.values() : [this.byOperation.get(operation)];
    let total = 0;
    let failed = 0;
    for (const window of windows) {
      const { calls, failures } = window?.counts(at) ?? { calls: 0, failures: 0 };
      total += calls;
      failed += failures;
    }
    return total === 0 ? 0 : failed / total;
  }

  clear(): void {
    this.total = 0;
    this.byOperation = new Map();
  }

  windowOf(operation: string): TimeWindow {
    let window = this.byOperation.get(operation);
    if (window !== undefined) return window;
    if (this.byOperation.size >= this.maxOperations && operation !== OTHER)
      return this.windowOf(OTHER);
    window = new TimeWindow(this.windowMs);
    this.byOperation.set(operation, window);
    return window;
  }
}

/** The calls of one operation. */
export class OperationCalls {
  private all: Map<string, TimeWindow> | undefined = undefined;
  private window: TimeWindow | undefined = undefined;

  constructor(
    private readonly rates: CallRates,
    private readonly operation: string,
  ) {}

  count(failed: boolean, at: number): void {
    this.rates.total++;
    if (this.all !== this.rates.byOperation) {
      this.all = this.rates.byOperation;
      this.window = this.rates.windowOf(this.operation);
    }
    this.window?.record(at, failed, false);
  }
}
