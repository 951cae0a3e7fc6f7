import { Alarm } from '../common/alarm.js';
import { now, Since } from '../common/clock.js';
import type { Scope } from '../context/scope.js';
import type { Membership } from '../fleet/membership.js';
import type { Lease, ProbePermit, ProbeReport, Verdict } from '../fleet/shared-verdicts.js';
import type { ResolvedCircuitBreakerOptions } from './circuit-breaker.options.js';
import type { Permit } from './probes.js';

/** For how long at most an instance leaves the probing to others after its own probe has failed, in ms. */
const MAX_LOCKOUT_MS = 1_000;

/** So many have been asked for by this process: no two are alike. */
let asked = 0;

/** What the fleet has answered to a call that wants to be a probe. */
export interface ProbeAnswer {
  /** `unknown` where it does not know, or does not answer in time: the instance is on its own. */
  readonly how: 'granted' | 'denied' | 'unknown';
  /** Of one that is granted. */
  readonly permit?: ProbePermit;
}

/** The fleet's permits of the probes of one instance. */
export class ProbeLeases {
  /** Of those that run. */
  private readonly held = new Map<Permit, ProbePermit>();
  private isAsking = false;
  private denial: { readonly since: Since; readonly lengthMs: number } | undefined = undefined;

  constructor(
    private readonly breaker: {
      readonly name: string;
      readonly options: Readonly<ResolvedCircuitBreakerOptions>;
    },
    private readonly fleet: Membership,
  ) {}

  /** How long it is to ask for none, in ms. */
  deniedMs(at: number): number {
    if (this.denial === undefined) return 0;
    return Math.max(0, Math.ceil(this.denial.lengthMs - this.denial.since.elapsedMs(at)));
  }

  /** Whether a call may ask now: one does at a time. */
  mayAsk(at: number): boolean {
    return !this.isAsking && this.deniedMs(at) === 0;
  }

  /**
   * Asks for a permit.
   *
   * @param told what is decided of the breaker, before it is answered
   * @param answered is told once, at the latest when a call has waited for as long as it may
   * @returns gives the wait up
   */
  ask(
    generation: number,
    scope: Scope,
    told: (verdict: Verdict) => void,
    answered: (answer: ProbeAnswer) => void,
  ): () => void {
    const { breaker, fleet } = this;
    const permit = { generation, token: `${fleet.instance}/${++asked}` };
    const { timeoutMs: ttlMs, halfOpenMaxCalls: maxPermits } = breaker.options;
    // Where there is nobody else, nobody else could probe.
    const lockoutMs = fleet.link.instances > 1 ? Math.min(MAX_LOCKOUT_MS, ttlMs / 2) : 0;
    let isWaiting = true;
    const stopWaiting = (): boolean => {
      if (!isWaiting) return false;
      isWaiting = false;
      this.isAsking = false;
      alarm.stop();
      scope.endWait(now());
      return true;
    };
    const alarm = new Alarm(() => {
      if (stopWaiting()) answered({ how: 'unknown' });
    });
    this.isAsking = true;
    scope.beginWait(now());
    alarm.set(fleet.options.probeWaitMs);
    const request = { ...permit, maxPermits, ttlMs, lockoutMs };
    void fleet.link.verdicts.lease(breaker.name, request).then((lease) => {
      if (lease !== undefined) told(lease.verdict);
      const answer = this.answerBy(lease, permit);
      if (stopWaiting()) answered(answer);
      else if (answer.permit !== undefined) this.giveBack(permit);
    });
    return stopWaiting;
  }

  /** A probe runs by a permit. */
  hold(probe: Permit, permit: ProbePermit): void {
    this.held.set(probe, permit);
  }

  /** The permit of a probe that has ended, where it had one of the fleet. */
  take(probe: Permit): ProbePermit | undefined {
    const permit = this.held.get(probe);
    if (permit !== undefined) this.held.delete(probe);
    return permit;
  }

  /** It is no probe, or says nothing: another may be one in its place. */
  giveBack(permit: ProbePermit): void {
    void this.report(permit, { outcome: 'nothing' });
  }

  report(permit: ProbePermit, report: ProbeReport): Promise<Verdict | undefined> {
    return this.fleet.link.verdicts.report(this.breaker.name, permit, report);
  }

  /** The half-open time is over: what its probes say is not asked any more. */
  async giveAllBack(): Promise<void> {
    const all = [...this.held.values()];
    this.forget();
    await Promise.all(all.map((permit) => this.report(permit, { outcome: 'nothing' })));
  }

  /** The same where the store knows it: permits go with the verdict that they are of. */
  forget(): void {
    this.held.clear();
    this.denial = undefined;
  }

  private answerBy(lease: Lease | undefined, permit: ProbePermit): ProbeAnswer {
    if (lease === undefined || lease.verdict.generation < permit.generation)
      return { how: 'unknown' }; // the store has been emptied
    if (lease.isGranted) return { how: 'granted', permit };
    if (lease.verdict.generation === permit.generation)
      this.denial = {
        since: new Since(now()),
        lengthMs: Math.min(lease.retryAfterMs, this.breaker.options.maxTimeoutMs),
      };
    return { how: 'denied' };
  }
}
