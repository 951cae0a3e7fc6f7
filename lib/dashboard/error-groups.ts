import type { TrackedError } from '../index.js';
import type { ErrorGroup } from './frame.js';

const MAX_GROUPS = 50;
const MAX_MESSAGE = 500;

/**
 * Errors that look the same are one entry with a count. So the one failure that opened a circuit is
 * still there when the open circuit has rejected ten thousand calls since.
 */
export class ErrorGroups {
  /** By what they look like, the one that was longest ago first. */
  private readonly groups = new Map<string, ErrorGroup>();

  add({ type, message, context, handled, timestamp }: TrackedError): void {
    const { operation, upstream } = context;
    const text = cut(message);
    const key = JSON.stringify([type, text, operation]);
    const group = this.groups.get(key) ?? newGroup(type, text, operation, upstream);
    group.count++;
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

function newGroup(type: string, message: string, operation: string, upstream?: string): ErrorGroup {
  const group: ErrorGroup = { type, message, operation, handled: 0, count: 0, at: '' };
  if (upstream !== undefined) group.upstream = upstream;
  return group;
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
}
