import type { VirtualClock } from './clock.js';
import type { HeapEvent } from './event-heap.js';
import { erlang, type Random } from './random.js';
import type { Scenario } from './scenario.js';

/** The tenant that is. */
export const SICK = 0;

const FAILS_IN_A_BROWN_OUT = 0.5;

/** A piece of work that the leaf was asked for. */
export interface Work {
  /** Whom it is for. */
  readonly tenant: number | undefined;
  /** Whether somebody still waits for it: the leaf does not know, the books do. */
  isWanted(): boolean;
  end(answered: boolean): void;
}

interface Running {
  readonly work: Work;
  /** Frozen while the leaf hangs. */
  event: HeapEvent | undefined;
  leftMs: number;
}

/**
 * The dependency at the end of all calls: so many servers, and before them a queue without end, in
 * which nobody hears that a caller has gone.
 */
export class Leaf {
  readonly begun = { all: 0, unwanted: 0 };
  readonly ended = { all: 0, unwanted: 0 };
  private readonly queue: Work[] = [];
  /** Where the queue begins: shifting a long array for each is slow. */
  private head = 0;
  private readonly running = new Set<Running>();
  private hangs = false;

  constructor(
    private readonly clock: VirtualClock,
    private readonly scenario: Scenario,
    private readonly random: Random,
  ) {
    const { fault, storm } = scenario;
    if (fault !== 'hang') return;
    clock.schedule(storm.fromMs, () => this.freeze());
    clock.schedule(storm.untilMs, () => this.thaw());
  }

  submit(work: Work): void {
    if (this.isLost(work) && this.inStorm()) return;
    this.queue.push(work);
    this.beginNext();
  }

  private isLost({ tenant }: Work): boolean {
    const { fault } = this.scenario;
    return fault === 'unreachable' || (fault === 'sick tenant' && tenant === SICK);
  }

  private inStorm(): boolean {
    const { fromMs, untilMs } = this.scenario.storm;
    return this.clock.nowMs >= fromMs && this.clock.nowMs < untilMs;
  }

  private beginNext(): void {
    const { servers, meanMs, shape } = this.scenario.leaf;
    while (!this.hangs && this.running.size < servers && this.head < this.queue.length) {
      const work = this.queue[this.head++] as Work;
      if (this.head > 1_000) {
        this.queue.splice(0, this.head);
        this.head = 0;
      }
      this.begun.all++;
      if (!work.isWanted()) this.begun.unwanted++;
      const running: Running = {
        work,
        event: undefined,
        leftMs: erlang(this.random, meanMs, shape),
      };
      this.running.add(running);
      this.proceed(running);
    }
  }

  private proceed(running: Running): void {
    const endsAt = this.clock.nowMs + running.leftMs;
    running.event = this.clock.schedule(endsAt, () => this.end(running));
  }

  private end(running: Running): void {
    this.running.delete(running);
    this.ended.all++;
    if (!running.work.isWanted()) this.ended.unwanted++;
    const brownOut = this.scenario.fault === 'brown-out' && this.inStorm();
    running.work.end(!brownOut || this.random() >= FAILS_IN_A_BROWN_OUT);
    this.beginNext();
  }

  private freeze(): void {
    this.hangs = true;
    for (const running of this.running) {
      const { event } = running;
      if (event === undefined) continue;
      event.cancelled = true;
      running.leftMs = event.atMs - this.clock.nowMs;
    }
  }

  private thaw(): void {
    this.hangs = false;
    for (const running of this.running) this.proceed(running);
    this.beginNext();
  }
}
