import type { ActiveRule } from './active-rule.js';
import type { Chaos } from './chaos.js';
import { requestRules } from './chaos-scope.js';

/** The chaos of one operation: the rules that fit it are looked for when they change, and not at each call. */
export class OperationChaos {
  private seen = -1;
  private matching: readonly ActiveRule[] = [];
  private isOutOfReach = true;

  constructor(
    readonly chaos: Chaos,
    readonly operation: string,
    private readonly upstream: string | undefined,
    /** Whether it keeps answers for later: then it has to know what was injected into the calls inside. */
    private readonly keepsAnswers: boolean,
  ) {}

  /** Whether nothing can happen to a call that is made now. */
  get isQuiet(): boolean {
    const { chaos } = this;
    if (this.seen !== chaos.version) this.match();
    return this.isOutOfReach && chaos.requests === 0;
  }

  /** What hits an attempt that begins now: what its request has brought along comes first. */
  hit(): ActiveRule | undefined {
    if (this.isQuiet) return undefined;
    const { chaos, operation, upstream, matching } = this;
    const ofRequest = chaos.requests === 0 ? [] : requestRules();
    const own = ofRequest.filter((rule) => rule.matches(operation, upstream));
    return chaos.hit(own.length === 0 ? matching : [...own, ...matching]);
  }

  private match(): void {
    this.matching = this.chaos.rulesFor(this.operation, this.upstream);
    this.isOutOfReach = this.matching.length === 0 && !(this.keepsAnswers && this.chaos.isOn);
    this.seen = this.chaos.version;
  }
}
