import { isKeyed, type KeyedEntry, type Registered } from '../common/registry.js';
import type { HealthLevel, InstanceView } from '../common/stage-instances.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';

/** So many of those by key have views of their own: the worst. */
const SHOWN = 5;

const SEVERITY: Record<HealthLevel, number> = { up: 0, degraded: 1, down: 2 };

/** What health checks and dashboards see of what has a name; of many by key all together, and the worst. */
export function viewsOf(kind: NamedInstances, entry: Registered<NamedPolicy>): InstanceView[] {
  return isKeyed(entry) ? keyedViews(kind, entry) : [viewOf(kind, entry)];
}

function viewOf(kind: NamedInstances, policy: NamedPolicy): InstanceView {
  const snapshot = () => kind.snapshot?.(policy) ?? {};
  return {
    name: policy.name,
    snapshot,
    health: (isDecisive = false) => kind.health?.(snapshot(), isDecisive) ?? { status: 'up' },
  };
}

function keyedViews(kind: NamedInstances, entry: KeyedEntry<NamedPolicy>): InstanceView[] {
  const worst = entry
    .policies()
    .map((policy) => viewOf(kind, policy))
    .map((view) => ({ view, severity: SEVERITY[view.health().status] }))
    .filter(({ severity }) => severity > 0)
    .sort((one, other) => other.severity - one.severity)
    .slice(0, SHOWN);
  return [
    together(kind, entry),
    ...worst.map(
      ({ view }): InstanceView => ({
        ...view,
        oneOf: entry.pattern,
        health: () => view.health(),
      }),
    ),
  ];
}

/**
 * Those of all keys. What keeps the calls of one from getting through is no reason to take the instance
 * from all others, so they are never `down`.
 */
function together(kind: NamedInstances, entry: KeyedEntry<NamedPolicy>): InstanceView {
  const { pattern: name } = entry;
  const read = () => {
    const views = entry.policies().map((policy) => viewOf(kind, policy));
    const degradedKeys = views.filter((view) => view.health().status !== 'up').length;
    return { views, counts: { keys: views.length, degradedKeys } };
  };
  return {
    name,
    snapshot() {
      const { views, counts } = read();
      return { name, ...counts, ...kind.sum?.(views.map((view) => view.snapshot())) };
    },
    health() {
      const { counts } = read();
      return { status: counts.degradedKeys > 0 ? 'degraded' : 'up', ...counts };
    },
  };
}
