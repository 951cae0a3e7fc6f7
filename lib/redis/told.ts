import type { Store } from './store.js';

/** Who listens to the messages of a kind, each of which is about something with a name. */
export class Told<Message> {
  private readonly listeners = new Map<string, Set<(message: Message) => void>>();

  /** @param read makes the message of the values behind the name; nothing, where they are not those of one */
  constructor(
    private readonly store: Store,
    private readonly kind: string,
    private readonly read: (values: readonly unknown[]) => Message | undefined,
  ) {
    store.listen(kind, (values) => this.told(values));
  }

  /** @returns ends that: it is told no more */
  listen(name: string, told: (message: Message) => void): () => void {
    const all = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, all.add(told));
    return () => {
      all.delete(told);
      if (all.size === 0 && this.listeners.get(name) === all) this.listeners.delete(name);
    };
  }

  private told([name, ...values]: readonly unknown[]): void {
    const message = typeof name === 'string' ? this.read(values) : undefined;
    if (message === undefined) this.store.refused(`a message of the kind ${this.kind}`);
    else for (const told of [...(this.listeners.get(name as string) ?? [])]) told(message);
  }
}

/** Whether it is a whole number from 0 to that. */
export function isWhole(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
