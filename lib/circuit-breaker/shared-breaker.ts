import type { Admission } from '../attempt/attempt-stage.js';
import { now } from '../common/clock.js';
import type { Scope } from '../context/scope.js';
import type { Membership } from '../fleet/membership.js';
import type { OpenSpan, ProbePermit, Verdict } from '../fleet/shared-verdicts.js';
import { checkSharing } from '../fleet/sharing.js';
import { type Sharer, takePart } from '../fleet/take-part.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import { CircuitState, type CircuitTransitionReason, isForced } from './circuit-state.js';
import type { OpenTime } from './open-time.js';
import { type ProbeAnswer, ProbeLeases } from './probe-leases.js';
import type { Permit } from './probes.js';

/** The breaker of this instance, as its fleet may see and change it. */
export interface LocalBreaker {
  readonly name: string;
  /** Those in force at the moment. */
  readonly options: Readonly<ResolvedCircuitBreakerOptions>;
  state(): CircuitState;
  /** Whether it goes along with the others: not by force, nor in shadow. */
  obeys(): boolean;
  /** The latest. */
  openTime(): OpenTime | undefined;
  /** Opens as the fleet has decided. */
  open(span: OpenSpan): void;
  /** Closes as the fleet has decided. */
  close(): void;
}

/**
 * What a breaker has to do with those of other instances. It opens by its own calls, and says so; where a
 * quorum has, all open, and then few calls of all instances together are probes. Whatever the others do not
 * answer, the breaker decides by itself.
 */
export class SharedBreaker implements Sharer<[Verdict]> {
  /** The last generation that it has gone along with. */
  private seen = 0;
  /** Whether the fleet has decided that it is open; else it was by its own calls, and its own probes close it. */
  private isFleets = false;
  private readonly leases: ProbeLeases;
  private readonly endPart: () => void;

  /**
   * @param place of the options, for messages
   * @returns nothing of one that is not shared
   * @throws ResilienceConfigurationError where it is to be, and there is no fleet
   */
  static of(
    local: LocalBreaker,
    place: string,
    fleet: Membership | undefined,
  ): SharedBreaker | undefined {
    const { shared } = local.options;
    checkSharing(place, shared, fleet);
    if (fleet === undefined || typeof shared !== 'object') return undefined;
    const { quorum = fleet.options.quorum } = shared;
    return new SharedBreaker(local, quorum, fleet);
  }

  private constructor(
    private readonly local: LocalBreaker,
    private readonly quorum: number,
    private readonly fleet: Membership,
  ) {
    const { name } = local;
    this.leases = new ProbeLeases(local, fleet);
    this.endPart = takePart(this, name, fleet, fleet.link.verdicts);
  }

  heard(verdict: Verdict): void {
    this.adopt(verdict);
  }

  /** Asks what the others have decided, or tells them that it is open by its own calls. */
  async sync(): Promise<void> {
    const { local, fleet } = this;
    if (!local.obeys()) return;
    const openMs = this.isFleets ? 0 : (local.openTime()?.leftMs(now()) ?? 0);
    if (local.state() === CircuitState.OPEN && openMs > 0) await this.vote();
    else {
      // Once more, where it is not answered in time: a link that fails twice in a row begins anew.
      const read = () => fleet.link.verdicts.read(local.name);
      this.adopt((await read()) ?? (await read()));
    }
  }

  leave(): Promise<void> {
    return this.leases.giveAllBack();
  }

  /** Somebody has closed it for all: what the fleet has decided before is over. */
  async overrule(): Promise<void> {
    this.adopt(await this.fleet.link.verdicts.close(this.local.name, this.seen));
  }

  /** From now on it has nothing to do with the others, as it is in shadow. */
  setAside(): void {
    this.isFleets = false;
    void this.leave();
  }

  /** It has again: what they have decided meanwhile is news, and its own opening theirs. */
  rejoin(): void {
    this.seen = 0;
    void this.sync();
  }

  /** It is used no more. */
  end(): void {
    this.endPart();
    void this.leave();
  }

  /** The breaker has changed its state. @param probe whose failure did it */
  entered(
    from: CircuitState,
    to: CircuitState,
    reason: CircuitTransitionReason,
    probe?: Permit,
  ): void {
    const failed = probe === undefined ? undefined : this.leases.take(probe);
    const byFleet = reason === 'fleet-opened' || reason === 'fleet-closed';
    if (byFleet) this.leases.forget();
    else void this.leases.giveAllBack();
    if (to !== CircuitState.HALF_OPEN) this.isFleets = reason === 'fleet-opened';
    if (byFleet) return;
    if (to === CircuitState.OPEN) void (failed === undefined ? this.vote() : this.failed(failed));
    else if (isForced(from) && !isForced(to)) void this.sync();
  }

  /** Whether the fleet says who probes. */
  get leads(): boolean {
    return this.isFleets && this.fleet.link.isUp;
  }

  /** Whether a call may ask to be a probe; else it is refused. */
  mayAsk(at: number): boolean {
    return this.leases.mayAsk(at);
  }

  /** How long it is worth asking for no probe, in ms. */
  deniedMs(at: number): number {
    return this.leases.deniedMs(at);
  }

  /**
   * Asks for a call whether it may be a probe.
   *
   * @param admit lets it begin; it throws what refuses it
   * @returns gives the wait up
   */
  ask(
    scope: Scope,
    admit: (answer: ProbeAnswer) => Permit,
    admitted: (ask: () => Admission) => void,
  ): () => void {
    let isLeft = false;
    const told = (verdict: Verdict) => this.adopt(verdict);
    const leave = this.leases.ask(this.seen, scope, told, (answer) =>
      admitted(() => {
        if (isLeft) this.giveBack(answer.permit);
        try {
          return isLeft ? { refusal: undefined } : { permit: admit(answer) };
        } catch (refusal) {
          return { refusal };
        }
      }),
    );
    return () => {
      isLeft = true;
      leave();
    };
  }

  /** Whether a permit is of the verdict that the breaker is open by. */
  isOf({ generation }: ProbePermit): boolean {
    return this.isFleets && generation === this.seen;
  }

  /** A probe runs, by a permit where it has one. */
  hold(probe: Permit, permit: ProbePermit | undefined): void {
    if (permit !== undefined) this.leases.hold(probe, permit);
  }

  giveBack(permit: ProbePermit | undefined): void {
    if (permit !== undefined) this.leases.giveBack(permit);
  }

  /** A probe has ended, and says nothing. */
  release(probe: Permit): void {
    this.giveBack(this.leases.take(probe));
  }

  /**
   * A probe has succeeded.
   *
   * @param alone told where the fleet does not count it
   * @returns whether it may
   */
  succeeded(probe: Permit, alone: () => void): boolean {
    const permit = this.leases.take(probe);
    if (permit === undefined) return false;
    const { successThreshold } = this.local.options;
    void this.leases.report(permit, { outcome: 'success', successThreshold }).then((verdict) => {
      if (verdict === undefined) alone();
      else this.adopt(verdict);
    });
    return true;
  }

  private async failed(permit: ProbePermit): Promise<void> {
    const span = this.ownSpan();
    if (span !== undefined)
      this.adopt(await this.leases.report(permit, { outcome: 'failure', ...span }));
  }

  private async vote(): Promise<void> {
    const { local, quorum, seen } = this;
    const span = this.ownSpan();
    if (span !== undefined)
      this.adopt(await this.fleet.link.verdicts.vote(local.name, { ...span, quorum, seen }));
  }

  private ownSpan(): OpenSpan | undefined {
    return this.local.openTime()?.span(now());
  }

  /**
   * Goes along with what was decided after all that it knows. A breaker that somebody has forced does not, and
   * asks again when it is not any more. What its own calls have opened is not closed by others: whether they
   * have seen what it sees, nobody knows.
   */
  adopt(verdict: Verdict | undefined): void {
    const { local } = this;
    if (verdict === undefined || !local.obeys()) return;
    const { generation, isOpen, leftMs, baseMs } = verdict;
    if (generation <= this.seen) return;
    this.seen = generation;
    const { timeoutMs, maxTimeoutMs } = local.options;
    if (isOpen)
      local.open({
        openMs: Math.min(leftMs, maxTimeoutMs),
        baseMs: Math.min(Math.max(baseMs, timeoutMs), maxTimeoutMs),
      });
    else if (this.isFleets) local.close();
  }
}
