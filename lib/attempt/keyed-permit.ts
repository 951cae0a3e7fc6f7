import type { Permit } from './attempt-stage.js';

/** A permit of one of many by key: with the one that gave it. */
export class KeyedPermit {
  constructor(
    readonly holder: { readonly policy: object },
    readonly permit: Permit,
  ) {}
}

/**
 * The permit that a policy has given, where a stage has let an attempt in by `permit`.
 *
 * @param given by the stage, which is the policy itself, or has one by key
 */
export function permitOf(policy: object, stage: object | undefined, given: Permit): Permit {
  if (stage === policy) return given;
  return given instanceof KeyedPermit && given.holder.policy === policy ? given.permit : undefined;
}
