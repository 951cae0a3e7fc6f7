import { TimeWindow } from '../common/time-window.js';
import { OTHER } from './keyed-counter.js';

/** How many calls failed lately, in all and by operation; a bounded number of operations. */
export class CallRates {
  private byOperation = new Map<string, TimeWindow>();

  constructor(
    private readonly windowMs: number,
    private readonly maxOperations: number,
  ) {}

  /** Takes the calls of one operation, also after `clear()`. */
  recorderOf(operation: string): (failed: boolean, at: number) => void {
    let all: Map<string, TimeWindow> | undefined;
    let window: TimeWindow;
    return (failed, at) => {
      if (all !== this.byOperation) {
        all = this.byOperation;
        window = this.windowOf(operation);
      }
      window.record(at, failed, false);
    };
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
    this.byOperation = new Map();
  }

  private windowOf(operation: string): TimeWindow {
    let window = this.byOperation.get(operation);
    if (window !== undefined) return window;
    if (this.byOperation.size >= this.maxOperations && operation !== OTHER)
      return this.windowOf(OTHER);
    window = new TimeWindow(this.windowMs);
    this.byOperation.set(operation, window);
    return window;
  }
}
