import type { Dependent } from './dependent.js';

/** The calls that follow a signal of somebody else's, and the one listener that serves them all. */
interface Followers {
  calls: Set<Dependent>;
  onAbort: () => void;
}

const followed = new WeakMap<AbortSignal, Followers>();

/** From now on `call` is cancelled by the signal, until it leaves; at once where that has aborted. */
export function follow(signal: AbortSignal, call: Dependent): void {
  if (signal.aborted) {
    call.cancel(signal.reason);
    return;
  }
  let followers = followed.get(signal);
  if (followers === undefined) {
    const calls = new Set<Dependent>();
    const onAbort = () => {
      followed.delete(signal);
      for (const each of calls) each.cancel(signal.reason);
    };
    followers = { calls, onAbort };
    followed.set(signal, followers);
    signal.addEventListener('abort', onAbort, { once: true });
  }
  followers.calls.add(call);
}

export function unfollow(signal: AbortSignal, call: Dependent): void {
  const followers = followed.get(signal);
  if (!followers?.calls.delete(call) || followers.calls.size > 0) return;
  followed.delete(signal);
  signal.removeEventListener('abort', followers.onAbort);
}
