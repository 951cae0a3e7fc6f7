import { now } from '../common/clock.js';
import { RecentCalls } from './recent-calls.js';

/** So many operations are observed; those that come later are not. */
const MAX_OPERATIONS = 2_000;

/** What is kept of the calls of an application's operations, for its advisor. */
export class Observations {
  /** Since when calls are observed; `undefined` where they are not. */
  since: number | undefined = undefined;
  /** Whoever tells of an operation holds what is kept of it. */
  private readonly operations = new Map<string, WeakRef<RecentCalls>>();

  constructor(isOn: boolean) {
    if (isOn) this.start();
  }

  start(): void {
    this.since ??= now();
  }

  /** What is kept of one operation, where there is room for it. */
  of(operation: string): RecentCalls | undefined {
    const known = this.find(operation);
    if (known !== undefined) return known;
    if (this.operations.size >= MAX_OPERATIONS) this.forgetTheGone();
    if (this.operations.size >= MAX_OPERATIONS) return undefined;
    const calls = new RecentCalls(operation);
    this.operations.set(operation, new WeakRef(calls));
    return calls;
  }

  /** What is kept of one, if anything is. */
  find(operation: string): RecentCalls | undefined {
    return this.operations.get(operation)?.deref();
  }

  private forgetTheGone(): void {
    for (const [operation, calls] of this.operations)
      if (calls.deref() === undefined) this.operations.delete(operation);
  }
}
