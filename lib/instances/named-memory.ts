import { isKeyed, type Registered } from '../common/registry.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';
import type { Memory } from '../state/memory.js';
import type { Learnt } from '../state/state-document.js';

/** Of the instances of one name by key, so many are remembered: those that were used last. */
const REMEMBERED_KEYS = 1_000;

/**
 * What the instances of a stage have learnt, across restarts. One that is shared with a fleet learns from the
 * others instead, who know more of it than what it was here before.
 */
export class NamedMemory<P extends NamedPolicy> {
  private readonly section: string;

  /** @param memory none where nothing is kept across restarts */
  constructor(
    private readonly instances: NamedInstances<P>,
    private readonly memory: Memory | undefined,
  ) {
    this.section = instances.section ?? instances.stage;
  }

  /** That of instances for all calls comes first, then that of those by key, the last used first. */
  learnt(entries: readonly Registered<P>[]): Learnt[] {
    const alone = entries.filter((entry) => !isKeyed(entry)) as P[];
    const keyed = entries
      .filter(isKeyed)
      .flatMap((entry) => entry.policies().slice(-REMEMBERED_KEYS).reverse());
    return [...alone, ...keyed].flatMap((policy) => this.learntBy(policy));
  }

  /** Tells an instance what it had learnt. @returns the instance */
  recalled(policy: P): P {
    if (!isShared(policy))
      this.memory?.recall(this.section, policy.name, (state, agoMs) =>
        this.instances.recall?.(policy, state, agoMs),
      );
    return policy;
  }

  private learntBy(policy: P): Learnt[] {
    const state = isShared(policy) ? undefined : this.instances.remember?.(policy);
    return state === undefined
      ? []
      : [{ section: this.section, name: policy.name, state, ageMs: 0 }];
  }
}

function isShared(policy: object): boolean {
  const { options } = policy as { options?: { shared?: unknown } };
  return (options?.shared ?? false) !== false;
}
