import {
  catchError,
  defer,
  from,
  isObservable,
  mergeMap,
  type ObservableInput,
  of,
  throwError,
} from 'rxjs';
import { read } from '../common/read.js';
import { markAsChaos } from '../context/chaos-marks.js';

/** What a fault looks like, by what a method returns. */
export interface Faulty {
  /** What `go` returns, once what `wait` begins is over; an error where that rejects. */
  later(wait: () => Promise<void>, go: () => unknown): unknown;
  fail(error: unknown): unknown;
  /** That a result fails is no failure of what it stands for: it is marked. */
  answer(result: () => unknown): unknown;
}

export const FAULTY_PROMISE: Faulty = {
  later: async (wait, go) => {
    await wait();
    return go();
  },
  fail: (error) => Promise.reject(error),
  answer: async (result) => {
    try {
      return await result();
    } catch (error) {
      throw marked(error);
    }
  },
};

export const FAULTY_STREAM: Faulty = {
  later: (wait, go) => defer(wait).pipe(mergeMap(() => go() as ObservableInput<unknown>)),
  fail: (error) => throwError(() => error),
  answer: (result) =>
    defer(() => {
      const answer = result();
      if (isObservable(answer)) return answer;
      return isThenable(answer) ? from(answer) : of(answer);
    }).pipe(catchError((error) => throwError(() => marked(error)))),
};

export const FAULTY_GENERATOR: Faulty = {
  async *later(wait, go) {
    await wait();
    return yield* go() as AsyncGenerator<unknown, unknown, unknown>;
  },
  // biome-ignore lint/correctness/useYield: it fails before its first value
  async *fail(error) {
    throw error;
  },
  async *answer(result) {
    try {
      const answer = await result();
      if (isIterable(answer)) return yield* answer;
      yield answer;
      return undefined;
    } catch (error) {
      throw marked(error);
    }
  },
};

function marked(error: unknown): unknown {
  markAsChaos(error);
  return error;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof read(value, 'then') === 'function';
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
