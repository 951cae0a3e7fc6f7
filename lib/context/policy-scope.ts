import { Scope } from './scope.js';

/**
 * A call through policies, as they have to know it where they are met again further in. For all else, what
 * runs in it is inside its caller.
 */
export class PolicyScope extends Scope {
  private left = false;

  constructor(
    public call: { permitFor(policy: object): unknown },
    around: Scope | undefined,
  ) {
    super(1, around, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  override get over(): boolean {
    return true;
  }

  override get gone(): boolean {
    return this.left;
  }

  override permitFor(policy: object): unknown {
    return this.call.permitFor(policy);
  }

  /** The call has ended. */
  leave(): void {
    this.left = true;
  }
}
