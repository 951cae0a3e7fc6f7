import type { Membership, Participant } from './membership.js';

/** Something that instances share, which hears of what others do to it. */
export interface Sharer<Message extends unknown[]> extends Participant {
  heard(...message: Message): void;
}

const collected = new FinalizationRegistry<() => void>((end) => end());

/**
 * Takes part in what instances share by a name. The fleet does not keep what nobody else does: what a
 * pipeline has of its own goes with it.
 *
 * @param board where it is told what others do
 * @returns ends its part
 */
export function takePart<Message extends unknown[]>(
  sharer: Sharer<Message>,
  name: string,
  fleet: Membership,
  board: { listen(name: string, told: (...message: Message) => void): () => void },
): () => void {
  const weakly = new WeakRef(sharer);
  const stop = board.listen(name, (...message) => weakly.deref()?.heard(...message));
  const leave = fleet.join({
    sync: async () => weakly.deref()?.sync(),
    lost: () => weakly.deref()?.lost?.(),
    leave: async () => weakly.deref()?.leave?.(),
  });
  const end = () => {
    stop();
    leave();
  };
  collected.register(sharer, end);
  return end;
}
