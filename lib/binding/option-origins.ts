import { type Layer, type Origin, type Origins, originsOf } from '../common/origin.js';
import { registeredOf } from '../instances/by-key.js';
import { NamedCatalog } from '../instances/named-catalog.js';
import type { OverridesInForce, Target } from '../overrides/overrides-in-force.js';
import type { NamedPolicy } from '../stage/named-instances.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { usersOf } from './instance-users.js';
import type { Operation } from './operation.js';
import type { PolicyCatalog } from './policy-catalog.js';

/** Who said each option in force of the operations of an application, at a moment. */
export class OptionOrigins {
  private readonly users = new Map<StageDefinition, Map<unknown, Target[]>>();

  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly operations: readonly Operation[],
    private readonly inForce: OverridesInForce,
  ) {}

  /** By stage, of those that are described. */
  of(operation: Operation, described: Readonly<Record<string, object | undefined>>) {
    const origins: Record<string, Origins> = {};
    for (const stage of this.catalog.stages) {
      const options = described[stage.name];
      if (options === undefined) continue;
      const { name: _name, ...own } = options as { name?: string };
      const inForce = stage.instances === undefined ? options : own;
      const layers = this.layersOf(stage, operation);
      // Of what can only be switched, nobody but the last who said it.
      origins[stage.name] =
        stage.overriding === undefined
          ? mapKeys(inForce, layers.at(-1)?.origin ?? 'default')
          : originsOf(inForce, layers);
    }
    return origins;
  }

  private layersOf(stage: StageDefinition, { blueprint }: Operation): readonly Layer[] {
    const { inForce } = this;
    const catalog = this.catalog.of(stage);
    if (!(catalog instanceof NamedCatalog)) return blueprint.layersOf(stage, inForce);
    const policy = blueprint.policyOf(stage) as NamedPolicy;
    const { name } = registeredOf(policy);
    const section = stage.instances?.section ?? stage.name;
    const users = this.usersOf(stage).get(registeredOf(policy)) ?? [];
    return [
      ...catalog.layersOf(policy, (of, each) => inForce.named(of, each)),
      ...inForce.ofInstance(stage, section, name, users),
    ];
  }

  private usersOf(stage: StageDefinition): Map<unknown, Target[]> {
    const users = this.users.get(stage) ?? usersOf(stage, this.operations);
    this.users.set(stage, users);
    return users;
  }
}

function mapKeys(options: object, origin: Origin): Origins {
  return Object.fromEntries(Object.keys(options).map((option) => [option, origin]));
}
