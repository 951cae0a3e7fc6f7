import type {
  Lease,
  LeaseRequest,
  ProbePermit,
  ProbeReport,
  SharedVerdicts,
  Verdict,
  Vote,
} from '../index.js';
import type { Script, Store } from './store.js';
import { isWhole, Told } from './told.js';
import { CLOSE, FAIL, LEASE, MAX_MS, READ, RELEASE, SUCCEED, VOTE } from './verdict-scripts.js';

/** The shared circuit breakers, each with a hash, its votes and its permits. */
export class RedisVerdicts implements SharedVerdicts {
  private readonly told: Told<Verdict>;

  constructor(private readonly store: Store) {
    this.told = new Told(store, 'verdict', (values) => this.verdictOf(values));
  }

  async read(breaker: string): Promise<Verdict | undefined> {
    return this.verdictIn(await this.run(READ, breaker, []));
  }

  async vote(breaker: string, vote: Vote): Promise<Verdict | undefined> {
    const { openMs, baseMs, quorum, seen } = vote;
    const args = [Math.ceil(openMs), Math.round(baseMs), quorum, seen];
    return this.verdictIn(await this.run(VOTE, breaker, [this.store.instance, ...args]));
  }

  async lease(breaker: string, request: LeaseRequest): Promise<Lease | undefined> {
    const { generation, token, maxPermits, ttlMs, lockoutMs } = request;
    const args = [generation, token, maxPermits, Math.ceil(ttlMs), Math.ceil(lockoutMs)];
    const answer = await this.run(LEASE, breaker, [this.store.instance, ...args]);
    const verdict = this.verdictIn(answer);
    if (answer === undefined || verdict === undefined) return undefined;
    const [granted, , , , , retryAfterMs] = answer;
    if (granted !== 0 && granted !== 1) return this.refuse('an answer to a lease');
    if (!isWhole(retryAfterMs, MAX_MS)) return this.refuse('an answer to a lease');
    return { isGranted: granted === 1, retryAfterMs, verdict };
  }

  async report(
    breaker: string,
    { generation, token }: ProbePermit,
    report: ProbeReport,
  ): Promise<Verdict | undefined> {
    const permit = [generation, token];
    if (report.outcome === 'nothing')
      return this.verdictIn(await this.run(RELEASE, breaker, permit));
    if (report.outcome === 'success')
      return this.verdictIn(await this.run(SUCCEED, breaker, [...permit, report.successThreshold]));
    const span = [Math.ceil(report.openMs), Math.round(report.baseMs)];
    const { instance } = this.store;
    return this.verdictIn(await this.run(FAIL, breaker, [...permit, instance, ...span]));
  }

  async close(breaker: string, seen: number): Promise<Verdict | undefined> {
    return this.verdictIn(await this.run(CLOSE, breaker, [seen]));
  }

  listen(breaker: string, told: (verdict: Verdict) => void): () => void {
    return this.told.listen(breaker, told);
  }

  private run(
    script: Script,
    breaker: string,
    args: readonly (string | number)[],
  ): Promise<readonly number[] | undefined> {
    const { store } = this;
    const keys = ['s', 'v', 'p'].map((part) => store.key('breaker', breaker, part));
    return store.run(script, keys, [store.channel, breaker, ...args]);
  }

  private verdictIn(answer: readonly number[] | undefined): Verdict | undefined {
    if (answer === undefined) return undefined;
    return this.verdictOf(answer.slice(1)) ?? this.refuse('an answer about a verdict');
  }

  /** @returns nothing where these are not the values of one */
  private verdictOf(values: readonly unknown[]): Verdict | undefined {
    const [generation, open, leftMs, baseMs] = values;
    if (!this.store.isTime(generation) || !isWhole(open, 1)) return undefined;
    if (!isWhole(leftMs, MAX_MS) || !isWhole(baseMs, MAX_MS)) return undefined;
    return { generation, isOpen: open === 1, leftMs, baseMs };
  }

  private refuse(what: string): undefined {
    this.store.refused(what);
    return undefined;
  }
}
