import { ATTEMPTS, type Send, type Setting, type Strategy } from '../strategy.js';

/** What most code without a library does: a timeout, and a loop around it. */
export const noRetries: Strategy = looping('none', 'no retries', 1, () => 0);

/** The anti-pattern of the article: again at once, and again. */
export const naiveRetries: Strategy = looping('naive', 'naive retries', ATTEMPTS, () => 0);

/** "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), and nothing else. */
export const backoffAlone: Strategy = looping(
  'backoff',
  'backoff, full jitter',
  ATTEMPTS,
  fullJitter,
);

/** In [0, 100 · 2ⁿ⁻¹] before retry n. */
export function fullJitter(retry: number): number {
  return Math.random() * 100 * 2 ** (retry - 1);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function looping(
  id: string,
  title: string,
  attempts: number,
  delayMs: (retry: number) => number,
): Strategy {
  const open = (setting: Setting) => ({
    call: (_request: unknown, send: Send) =>
      retrying(attempts, delayMs, () => timed(setting.timeoutMs, (signal) => send({ signal }))),
  });
  return { id, title, open };
}

export async function retrying<T>(
  attempts: number,
  delayMs: (retry: number) => number,
  call: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === attempts) throw error;
      await sleep(delayMs(attempt));
    }
  }
}

/** A timeout that ends the call, as everybody does it with `fetch`. */
async function timed<T>(ms: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error('Timed out')), ms);
  try {
    return await call(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
