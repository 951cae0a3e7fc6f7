import { BulkheadPolicy } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { LARGE_SEMI_SPACE } from '../lab/lab.js';
import { Rounds } from '../lab/rounds.js';
import type { Section } from '../report/section.js';

type This = typeof import('./queue.js');

const FEW = 100;
const MANY = 100_000;

/** Queues so many calls up behind one, and waits for the last of them. */
type Queue = (length: number) => Promise<unknown>;

interface Waiting {
  admit: () => void;
  next: Waiting | undefined;
}

const QUEUES: Record<'bulkhead' | 'linkedList', Queue> = {
  bulkhead(length) {
    const bulkhead = new BulkheadPolicy('bulkhead', { maxConcurrent: 1, queueLimit: MANY });
    let last: Promise<unknown> = bulkhead.execute(async () => undefined);
    for (let queued = 0; queued < length; queued++) {
      last = bulkhead.execute(async () => undefined);
    }
    return last;
  },

  /** The least that a queue of calls can be: promises in a list, of which each settles the next. */
  async linkedList(length) {
    let first: Waiting | undefined;
    let tail: Waiting | undefined;
    let ended = 0;
    const call = async () => {
      await new Promise<void>((admit) => {
        const waiting: Waiting = { admit, next: undefined };
        if (tail === undefined) first = waiting;
        else tail.next = waiting;
        tail = waiting;
      });
      ended++;
      first = first?.next;
      first?.admit();
    };
    let last = call();
    for (let queued = 1; queued < length; queued++) last = call();
    (first as Waiting | undefined)?.admit();
    await last;
    return ended;
  },
};

/** @returns ns a call */
export async function perCall(kind: keyof typeof QUEUES, length: number): Promise<number> {
  const queue = QUEUES[kind];
  globalThis.gc?.(); // what the others have left is not its doing
  const repeats = MANY / length;
  const begunAt = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++) await queue(length);
  return ((performance.now() - begunAt) * 1e6) / MANY;
}

export const queue: Section = {
  title: 'Calls that wait in the queue of a bulkhead',
  async measure(lab) {
    // Else, it would mostly measure how the garbage collector moves 100,000 promises about.
    const child = await lab.start<This>(import.meta.url, LARGE_SEMI_SPACE);
    const round = async () => ({
      fewListed: await child.call('perCall', 'linkedList', FEW),
      manyListed: await child.call('perCall', 'linkedList', MANY),
      fewQueued: await child.call('perCall', 'bulkhead', FEW),
      manyQueued: await child.call('perCall', 'bulkhead', MANY),
    });
    await round(); // to warm up
    const figures = [];
    for (let number = 0; number < (lab.isQuick ? 1 : lab.effort.rounds); number++)
      figures.push(await round());
    await child.stop();
    const rounds = new Rounds(figures);
    const unit = `× one of ${FEW}`;
    return [
      { name: `a call among ${FEW}`, ns: rounds.median('fewQueued') },
      {
        name: 'a call among 100,000',
        ns: rounds.median('manyQueued'),
        value: rounds.median((of) => of('manyQueued') / of('fewQueued')),
        unit,
        goal: GOALS.queue,
      },
      {
        name: 'a bare linked list: among 100,000',
        ns: rounds.median('manyListed'),
        value: rounds.median((of) => of('manyListed') / of('fewListed')),
        unit,
      },
    ];
  },
};
