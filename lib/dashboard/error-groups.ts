import type { TrackedError } from '../index.js';
import { failureOf } from './failure.js';
import type { ErrorGroup, Failure } from './frame.js';

const MAX_GROUPS = 50;

/**
 * Errors that look the same are one entry with a count. So the one failure that opened a circuit is
 * still there when the open circuit has rejected ten thousand calls since.
 */
export class ErrorGroups {
  /** By what they look like, the one that was longest ago first. */
  private readonly groups = new Map<string, ErrorGroup>();

  add(error: TrackedError): void {
    const { context, handled, chaos, timestamp } = error;
    const { operation, upstream } = context;
    const failure = failureOf(error);
    const key = JSON.stringify([failure.type, failure.message, operation, chaos]);
    const group = this.groups.get(key) ?? newGroup(failure, operation, upstream);
    if (failure.cause !== undefined) group.cause = failure.cause;
    group.count++;
    if (chaos) group.chaos = chaos;
    if (handled) group.handled++;
    group.at = timestamp;
    this.groups.delete(key); // to the end: the Map keeps the order
    this.groups.set(key, group);
    if (this.groups.size > MAX_GROUPS) this.forgetOldest();
  }

  newestFirst(): ErrorGroup[] {
    return [...this.groups.values()].reverse();
  }

  private forgetOldest(): void {
    for (const key of this.groups.keys()) {
      this.groups.delete(key);
      return;
    }
  }
}

function newGroup(failure: Failure, operation: string, upstream?: string): ErrorGroup {
  const group: ErrorGroup = { ...failure, operation, handled: 0, count: 0, at: '' };
  if (upstream !== undefined) group.upstream = upstream;
  return group;
}
