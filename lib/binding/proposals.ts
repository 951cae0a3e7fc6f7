import type { OptionChange } from '../overrides/overrides.telemetry.js';
import type { OverridesInForce, Target } from '../overrides/overrides-in-force.js';
import type { NamedPolicy } from '../stage/named-instances.js';
import type { PolicyChange } from '../stage/policy-change.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { Agreement } from './agreement.js';
import type { StagesProposal } from './blueprint.js';
import { differences, optionChanges } from './differences.js';
import { usersOf } from './instance-users.js';
import type { LiveShedding } from './live-shedding.js';
import type { Operation } from './operation.js';
import type { PolicyCatalog } from './policy-catalog.js';

/** An instance that operations go through would go by other options. */
interface StageChange {
  readonly stage: Pick<StageDefinition, 'overriding'>;
  readonly change: PolicyChange;
}

/** All that would be another. */
export interface Proposal {
  readonly instances: readonly StageChange[];
  readonly operations: readonly {
    readonly operation: Operation;
    readonly proposal: StagesProposal;
  }[];
}

/** What an application would come to by other overrides. Nothing changes before that is applied. */
export class Proposals {
  /** @param operations those that there are */
  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly operations: () => readonly Operation[],
    private readonly shedding: LiveShedding,
    private readonly agreement: Agreement,
  ) {}

  /**
   * All that would be another by these overrides.
   *
   * @throws ResilienceConfigurationError
   */
  by(inForce: OverridesInForce): Proposal {
    return {
      operations: this.operations().map((operation) => ({
        operation,
        proposal: operation.blueprint.propose(inForce),
      })),
      instances: [
        ...this.catalog.stages.flatMap((stage) => this.ofStage(stage, inForce)),
        ...this.shedding.propose(inForce).map((change) => ({ stage: {}, change })),
      ],
    };
  }

  /** What is told of it: each option that would be another, before and after. */
  changesIn({ instances, operations }: Proposal): OptionChange[] {
    return [
      ...instances.flatMap(({ stage, change: { place, from, to } }) =>
        optionChanges(place, stage, from, to),
      ),
      ...operations.flatMap(({ operation, proposal }) =>
        differences(operation, proposal.stages, this.catalog.stages),
      ),
    ];
  }

  /**
   * What the instances of a stage would go by.
   *
   * @param only this one, which the operation goes through that is its `user`
   */
  ofStage(
    stage: StageDefinition,
    inForce: OverridesInForce,
    only?: NamedPolicy,
    user?: Target,
  ): StageChange[] {
    const { name, instances } = stage;
    const section = instances?.section ?? name;
    const users = user === undefined ? usersOf(stage, this.operations()) : undefined;
    const changes = this.catalog.of(stage).propose?.(
      (of, each) => inForce.named(of, each),
      (each, instance) => {
        const through = users?.get(instance) ?? (user ? [user] : []);
        this.agreement.check(inForce, stage, section, each, through);
        return inForce.ofInstance(stage, section, each, through);
      },
      only,
    );
    return (changes ?? []).map((change) => ({ stage, change }));
  }
}
