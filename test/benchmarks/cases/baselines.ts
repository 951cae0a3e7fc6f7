import { type Call, defineCases, repeat } from '../lab/case.js';

// What everything is compared with. Nothing of the library, of Nest or of AsyncLocalStorage may be
// imported here: it would slow down the plain call.

export const ANSWER = 42;

/** What everybody protects; a decorated method does the same itself. */
export async function work(): Promise<number> {
  return ANSWER;
}

/** What is expected to fail: the price includes the catching. */
export function caught(call: Call): Call {
  return async () => {
    try {
      return await call();
    } catch (error) {
      return error;
    }
  };
}

function noop(): void {}

const last: { signal?: AbortSignal } = {};

/** Reads a signal as work does that hands it on: one that goes nowhere could be optimised away. */
export function keep(signal: AbortSignal): void {
  last.signal = signal;
}

export default defineCases(import.meta.url, {
  plain: () => repeat(work),

  timer: () =>
    repeat(async () => {
      const timer = setTimeout(noop, 1_000);
      try {
        return await work();
      } finally {
        clearTimeout(timer);
      }
    }),

  throwing: () =>
    repeat(
      caught(async () => {
        throw new Error('It failed');
      }),
    ),

  abortController: () =>
    repeat(async () => {
      keep(new AbortController().signal);
      return await work();
    }),
});
