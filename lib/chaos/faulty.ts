import {
  defer,
  from,
  isObservable,
  mergeMap,
  NEVER,
  type ObservableInput,
  of,
  throwError,
} from 'rxjs';
import { read } from '../common/read.js';

/** What a fault looks like, by what a method returns. */
export interface Faulty {
  /** What `go` returns, once `waited` is over; an error where that rejects. */
  later(waited: Promise<void>, go: () => unknown): unknown;
  fail(error: unknown): unknown;
  answer(result: () => unknown): unknown;
  /** Until the signal aborts, or it is unsubscribed. */
  hang(signal: AbortSignal): unknown;
}

export const FAULTY_PROMISE: Faulty = {
  later: async (waited, go) => {
    await waited;
    return go();
  },
  fail: (error) => Promise.reject(error),
  answer: async (result) => result(),
  hang: (signal) => aborted(signal),
};

export const FAULTY_STREAM: Faulty = {
  later: (waited, go) => from(waited).pipe(mergeMap(() => go() as ObservableInput<unknown>)),
  fail: (error) => throwError(() => error),
  answer: (result) =>
    defer(() => {
      const answer = result();
      if (isObservable(answer)) return answer;
      return isThenable(answer) ? from(answer) : of(answer);
    }),
  hang: () => NEVER,
};

export const FAULTY_GENERATOR: Faulty = {
  async *later(waited, go) {
    await waited;
    return yield* go() as AsyncGenerator<unknown, unknown, unknown>;
  },
  // biome-ignore lint/correctness/useYield: it fails before its first value
  async *fail(error) {
    throw error;
  },
  async *answer(result) {
    const answer = await result();
    if (isIterable(answer)) return yield* answer;
    yield answer;
    return undefined;
  },
  // biome-ignore lint/correctness/useYield: it never comes to one
  async *hang(signal) {
    return aborted(signal);
  },
};

/** It rejects when the signal aborts, so that what the attempt holds is given back. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof read(value, 'then') === 'function';
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
