import { now } from '../common/clock.js';
import { OTHER } from './keyed-counter.js';

/** What has been told of one subject lately, and what has been counted since. */
interface Subject<E> {
  readonly told: Set<string>;
  readonly counts: Map<string, number>;
  since: number;
  latest: E;
  timer: NodeJS.Timeout;
}

/**
 * Tells what happens to a subject once a kind, and then once an interval how often each kind was
 * repeated, until nothing is repeated any more. Nothing is lost, and no timer keeps the process alive.
 */
export class Repeats<E> {
  private readonly subjects = new Map<string, Subject<E>>();
  private closed = false;

  /** @param tell says how often each kind was repeated, and what came last; it does not throw */
  constructor(
    private readonly intervalMs: number,
    private readonly maxSubjects: number,
    private readonly tell: (latest: E, counts: ReadonlyMap<string, number>) => void,
  ) {}

  /** @returns whether it is for the caller to tell now; else it is counted */
  isFirst(name: string, kind: string, event: E): boolean {
    if (this.closed || this.intervalMs === 0) return true;
    const at = now();
    const subject = this.subjects.get(name);
    if (subject === undefined) return this.begin(name, kind, event, at);
    // A timer of a clock that is gone (a fake one, mostly) never comes.
    if (at < subject.since || at - subject.since > this.intervalMs) this.end(name, subject);
    if (!this.subjects.has(name)) return this.begin(name, kind, event, at);
    subject.latest = event;
    if (!subject.told.has(kind)) {
      subject.told.add(kind);
      return true;
    }
    subject.counts.set(kind, (subject.counts.get(kind) ?? 0) + 1);
    return false;
  }

  /** Tells what has been counted; from now on everything is for the caller to tell. */
  close(): void {
    this.closed = true;
    for (const [name, subject] of this.subjects) this.end(name, subject);
    this.subjects.clear();
  }

  private begin(name: string, kind: string, event: E, at: number): boolean {
    if (this.subjects.size >= this.maxSubjects && name !== OTHER)
      return this.isFirst(OTHER, kind, event);
    const subject: Subject<E> = {
      told: new Set([kind]),
      counts: new Map(),
      since: at,
      latest: event,
      timer: this.timerFor(name),
    };
    this.subjects.set(name, subject);
    return true;
  }

  private end(name: string, subject: Subject<E>): void {
    clearTimeout(subject.timer);
    if (subject.counts.size === 0 || this.closed) this.subjects.delete(name);
    if (subject.counts.size === 0) return;
    this.tell(subject.latest, subject.counts);
    subject.counts.clear();
    if (this.closed) return;
    subject.since = now();
    subject.timer = this.timerFor(name);
  }

  private timerFor(name: string): NodeJS.Timeout {
    const timer = setTimeout(() => {
      const subject = this.subjects.get(name);
      if (subject !== undefined) this.end(name, subject);
    }, this.intervalMs);
    timer.unref?.(); // of a browser's clock, a timer is a number
    return timer;
  }
}

/** How often something was repeated, in a sentence: `once more`, `2 more times`. */
export function moreTimes(repeated: number): string {
  return repeated === 1 ? 'once more' : `${repeated} more times`;
}
