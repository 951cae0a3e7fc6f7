import { Scope } from './scope.js';

/**
 * A call through a policy on its own, as that policy has to know it where it is met again further in.
 * For all else, what runs in it is inside its caller.
 */
export class PolicyScope extends Scope {
  private left = false;

  constructor(
    private readonly policy: object,
    around: Scope | undefined,
    private readonly permit = 0,
  ) {
    super(1, around, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  override get over(): boolean {
    return true;
  }

  override get gone(): boolean {
    return this.left;
  }

  override permitFor(policy: object): number | undefined {
    return policy === this.policy ? this.permit : undefined;
  }

  /** The call has ended. */
  leave(): void {
    this.left = true;
  }
}
