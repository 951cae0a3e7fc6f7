import { TimeWindow } from '../common/time-window.js';
import { OTHER } from './keyed-counter.js';

/** How many calls failed lately, in all and by operation; a bounded number of operations. */
export class CallRates {
  private readonly all: TimeWindow;
  private readonly byOperation = new Map<string, TimeWindow>();

  constructor(
    private readonly windowMs: number,
    private readonly maxOperations: number,
  ) {
    this.all = new TimeWindow(windowMs);
  }

  record(operation: string, failed: boolean, at: number): void {
    this.all.record(at, failed, false);
    this.windowOf(operation).record(at, failed, false);
  }

  rate(operation: string | undefined, at: number): number {
    const window = operation === undefined ? this.all : this.byOperation.get(operation);
    const { calls, failures } = window?.counts(at) ?? { calls: 0, failures: 0 };
    return calls === 0 ? 0 : failures / calls;
  }

  clear(): void {
    this.all.clear();
    this.byOperation.clear();
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
