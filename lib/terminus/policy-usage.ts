import type { OperationDescription } from '../index.js';

/** Who uses an instance of a stage. */
export interface PolicyUsage {
  /** `true` where one of them is critical, `false` where all are nice to have. */
  critical: boolean | undefined;
  /** The names of the operations. */
  operations: string[];
}

/** Of one that no operation uses: it was injected, and is called by hand. */
export const UNUSED: PolicyUsage = { critical: undefined, operations: [] };

/** By the name of the instance. */
export function usageOf(
  stage: string,
  operations: readonly OperationDescription[],
): Map<string, PolicyUsage> {
  const usages = new Map<string, PolicyUsage>();
  for (const { operation, critical, stages } of operations) {
    const { name } = (stages[stage] ?? {}) as { name?: string };
    if (name === undefined) continue;
    const usage = usages.get(name);
    if (usage === undefined) {
      usages.set(name, { critical, operations: [operation] });
      continue;
    }
    usage.critical = moreCritical(usage.critical, critical);
    usage.operations.push(operation);
  }
  return usages;
}

function moreCritical(one: boolean | undefined, other: boolean | undefined): boolean | undefined {
  if (one === true || other === true) return true;
  return one === false && other === false ? false : undefined;
}
