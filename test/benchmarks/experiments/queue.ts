import { BulkheadPolicy } from 'nestjs-bulwark';
import { GOALS } from '../goals.js';
import { derive, Samples } from '../lab/figure.js';
import { LARGE_SEMI_SPACE } from '../lab/lab.js';
import type { Remote } from '../lab/remote.js';
import type { Experiment, Row } from '../report/section.js';

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

export const queue: Experiment = {
  title: 'Calls that wait in the queue of a bulkhead',
  async measure(lab) {
    const rounds = lab.isQuick ? 1 : lab.effort.rounds;
    const samples = new Samples<string>();
    const measure = async (child: Remote<This>) => {
      for (let round = 0; round <= rounds; round++) {
        for (const kind of ['linkedList', 'bulkhead'] as const) {
          for (const length of [FEW, MANY]) {
            const ns = await child.call('perCall', kind, length);
            if (round > 0) samples.add(`${kind} ${length}`, ns); // the first is to warm up
          }
        }
      }
    };
    // Else, it would mostly measure how the garbage collector moves 100,000 promises about.
    await lab.within(import.meta.url, measure, LARGE_SEMI_SPACE);
    const among = (name: string, kind: keyof typeof QUEUES): Row => {
      const few = samples.figure(`${kind} ${FEW}`, 'ns');
      const many = samples.figure(`${kind} ${MANY}`, 'ns');
      const compared = derive((read) => read(many) / read(few), `× one among ${FEW}`);
      return { name, takes: many, compared };
    };
    return [
      { ...among('one among 100,000', 'bulkhead'), goal: GOALS.queue },
      among('in a bare linked list', 'linkedList'),
    ];
  },
};
