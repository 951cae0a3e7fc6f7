import { registeredOf } from '../instances/by-key.js';
import type { Target } from '../overrides/overrides-in-force.js';
import type { NamedPolicy } from '../stage/named-instances.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { Operation } from './operation.js';

/** Which operations go through the instances of a stage, by the instance; also those that have it switched off. */
export function usersOf(
  stage: StageDefinition,
  operations: readonly Operation[],
): Map<unknown, Target[]> {
  const users = new Map<unknown, Target[]>();
  if (stage.instances === undefined) return users;
  for (const { blueprint } of operations) {
    const policy = blueprint.policyOf(stage) as NamedPolicy | undefined;
    if (policy === undefined) continue;
    const instance = registeredOf(policy);
    const known = users.get(instance);
    if (known === undefined) users.set(instance, [blueprint.target]);
    else known.push(blueprint.target);
  }
  return users;
}
