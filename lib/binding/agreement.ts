import type { OverridesLog } from '../observability/overrides-log.js';
import { OverridesInForce } from '../overrides/overrides-in-force.js';

/** Whether the same is said of all operations that share an instance. */
export class Agreement {
  private before = OverridesInForce.NONE;
  private readonly told = new Set<string>();

  constructor(private readonly log: OverridesLog) {}

  /** All operations that there are go by what is in force from now on. */
  reached(inForce: OverridesInForce): void {
    this.before = inForce;
  }

  /**
   * An operation that comes later may share an instance of which something is said by another operation. That is
   * told once: if it were refused, nothing else could be said any more.
   *
   * @throws ResilienceConfigurationError where there is no agreement any more by what is said now
   */
  check(inForce: OverridesInForce, ...of: Parameters<OverridesInForce['disagreement']>): void {
    const disagreement = inForce.disagreement(...of);
    if (disagreement === undefined) return;
    if (this.before.disagreement(...of) === undefined) throw disagreement;
    const { message } = disagreement;
    if (!this.told.has(message)) this.log.shared(message);
    this.told.add(message);
  }
}
