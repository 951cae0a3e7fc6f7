import type { OverridesInForce } from '../overrides/overrides-in-force.js';
import type { Stages } from '../pipeline/stages.js';
import type { StageResolver } from './stage-resolver.js';

/** What an operation is made from, at boot and whenever overrides change. */
export interface Blueprint extends Pick<StageResolver, 'target' | 'has' | 'layersOf' | 'policyOf'> {
  /**
   * The stages that it would have under overrides.
   *
   * @throws ResilienceConfigurationError
   */
  propose(overrides: OverridesInForce): StagesProposal;
}

/** Stages that an operation would have. */
export interface StagesProposal {
  readonly stages: Stages;
  /** It has them from now on. */
  keep(): void;
}

/** @param fitted what is left of stages around what is called, which it checks */
export function blueprintOf(
  resolver: StageResolver,
  fitted: (stages: Stages) => Stages,
): Blueprint {
  return {
    target: resolver.target,
    has: (stage) => resolver.has(stage),
    policyOf: (stage) => resolver.policyOf(stage),
    layersOf: (stage, overrides) => resolver.layersOf(stage, overrides),
    propose(overrides) {
      const { operation, keep } = resolver.propose(overrides);
      return { stages: fitted(operation.stages), keep };
    },
  };
}
