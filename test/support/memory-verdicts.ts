import type {
  Lease,
  LeaseRequest,
  ProbePermit,
  ProbeReport,
  SharedVerdicts,
  Verdict,
  Vote,
} from '../../lib/fleet/shared-verdicts.js';
import type { Board, MemoryFleet } from './memory-fleet.js';

/** When it is worth asking again for a permit, where all are in use. */
const ASK_AGAIN_MS = 250;

/** How a breaker stands in the store. */
interface Standing {
  generation: number;
  isOpen: boolean;
  untilMs: number;
  baseMs: number;
  successes: number;
  lastFailedProber: string | undefined;
  /** When each vote ends, by instance. */
  readonly votes: Map<string, number>;
  /** When each permit ends, by token. */
  readonly permits: Map<string, number>;
}

/** The store's half of shared verdicts, by the same rules as the scripts of `RedisFleet`. */
export class VerdictStore {
  private readonly standings = new Map<string, Standing>();

  /** @param publish tells all instances of a new verdict */
  constructor(private readonly publish: (breaker: string, verdict: Verdict) => void) {}

  clear(): void {
    this.standings.clear();
  }

  read(breaker: string, now: number): Verdict {
    return verdictOf(this.of(breaker), now);
  }

  vote(breaker: string, instance: string, vote: Vote, now: number): Verdict {
    const standing = this.of(breaker);
    const { openMs, baseMs, quorum, seen } = vote;
    if (standing.isOpen && standing.untilMs > now) return verdictOf(standing, now);
    forgetBefore(standing.votes, now);
    standing.votes.set(instance, now + openMs);
    if (standing.votes.size < quorum) return verdictOf(standing, now);
    const base = standing.isOpen ? Math.max(standing.baseMs, baseMs) : baseMs;
    standing.lastFailedProber = undefined;
    return this.decide(breaker, now, seen, now + openMs, base);
  }

  lease(breaker: string, instance: string, request: LeaseRequest, now: number): Lease {
    const standing = this.of(breaker);
    const { generation, token, maxPermits, ttlMs, lockoutMs } = request;
    const { permits, untilMs, lastFailedProber } = standing;
    const answer = (isGranted: boolean, retryAfterMs: number): Lease => ({
      isGranted,
      retryAfterMs,
      verdict: verdictOf(standing, now),
    });
    if (standing.generation !== generation || !standing.isOpen) return answer(false, 0);
    if (untilMs > now) return answer(false, untilMs - now);
    if (lastFailedProber === instance && untilMs + lockoutMs > now)
      return answer(false, untilMs + lockoutMs - now);
    forgetBefore(permits, now - ttlMs);
    const running = [...permits.values()].filter((endsAt) => endsAt > now).length;
    if (running >= maxPermits) return answer(false, ASK_AGAIN_MS);
    permits.set(token, now + ttlMs);
    return answer(true, 0);
  }

  report(
    breaker: string,
    instance: string,
    { generation, token }: ProbePermit,
    report: ProbeReport,
    now: number,
  ): Verdict {
    const standing = this.of(breaker);
    if (standing.generation !== generation || !standing.permits.delete(token))
      return verdictOf(standing, now);
    if (report.outcome === 'failure') {
      standing.lastFailedProber = instance;
      return this.decide(breaker, now, generation, now + report.openMs, report.baseMs);
    }
    if (report.outcome === 'success' && ++standing.successes >= report.successThreshold)
      return this.decide(breaker, now, generation);
    return verdictOf(standing, now);
  }

  close(breaker: string, seen: number, now: number): Verdict {
    return this.decide(breaker, now, seen);
  }

  /** How many permits run, for who looks whether there are too many. */
  running(breaker: string, now: number): number {
    return [...this.of(breaker).permits.values()].filter((endsAt) => endsAt > now).length;
  }

  /** @param untilMs how long it is open; without, it is closed */
  private decide(
    breaker: string,
    now: number,
    seen: number,
    untilMs?: number,
    baseMs = 0,
  ): Verdict {
    const standing = this.of(breaker);
    standing.generation = Math.max(standing.generation + 1, seen + 1, now);
    standing.isOpen = untilMs !== undefined;
    standing.untilMs = untilMs ?? 0;
    standing.baseMs = baseMs;
    standing.successes = 0;
    if (untilMs === undefined) standing.lastFailedProber = undefined;
    standing.votes.clear();
    standing.permits.clear();
    const verdict = verdictOf(standing, now);
    this.publish(breaker, verdict);
    return verdict;
  }

  private of(breaker: string): Standing {
    let standing = this.standings.get(breaker);
    if (standing === undefined) {
      standing = {
        generation: 0,
        isOpen: false,
        untilMs: 0,
        baseMs: 0,
        successes: 0,
        lastFailedProber: undefined,
        votes: new Map(),
        permits: new Map(),
      };
      this.standings.set(breaker, standing);
    }
    return standing;
  }
}

function verdictOf({ generation, isOpen, untilMs, baseMs }: Standing, now: number): Verdict {
  return { generation, isOpen, leftMs: isOpen ? Math.max(0, untilMs - now) : 0, baseMs };
}

function forgetBefore(endings: Map<string, number>, at: number): void {
  for (const [name, endsAt] of endings) if (endsAt <= at) endings.delete(name);
}

/** Shared verdicts of a memory fleet, and the store behind them. */
export interface MemoryVerdicts extends Board<SharedVerdicts> {
  readonly store: VerdictStore;
}

/** What verdicts about a breaker are published under. */
export function verdictsOf(breaker: string): string {
  return `verdict/${breaker}`;
}

export function memoryVerdicts(hub: MemoryFleet): MemoryVerdicts {
  const store = new VerdictStore((breaker, verdict) => hub.publish(verdictsOf(breaker), verdict));
  return {
    store,
    clear: () => store.clear(),
    side(line) {
      const { instance } = line;
      const inStore = (ms: number) => Math.ceil(line.storeMs(ms));
      const own = (verdict: Verdict): Verdict => ({
        ...verdict,
        leftMs: line.ownMs(verdict.leftMs),
      });
      return {
        read: async (breaker) => {
          const verdict = await line.ask((now) => store.read(breaker, now));
          return verdict && own(verdict);
        },
        async vote(breaker, vote) {
          const spans = { ...vote, openMs: inStore(vote.openMs) };
          const verdict = await line.ask((now) => store.vote(breaker, instance, spans, now));
          return verdict && own(verdict);
        },
        async lease(breaker, request) {
          const { ttlMs, lockoutMs } = request;
          const asked = { ...request, ttlMs: inStore(ttlMs), lockoutMs: inStore(lockoutMs) };
          const lease = await line.ask((now) => store.lease(breaker, instance, asked, now));
          if (lease === undefined) return undefined;
          const retryAfterMs = line.ownMs(lease.retryAfterMs);
          return { ...lease, retryAfterMs, verdict: own(lease.verdict) };
        },
        async report(breaker, permit, report) {
          const told =
            report.outcome === 'failure' ? { ...report, openMs: inStore(report.openMs) } : report;
          const verdict = await line.ask((now) =>
            store.report(breaker, instance, permit, told, now),
          );
          return verdict && own(verdict);
        },
        async close(breaker, seen) {
          const verdict = await line.ask((now) => store.close(breaker, seen, now));
          return verdict && own(verdict);
        },
        listen: (breaker, told) =>
          line.listen<Verdict>(verdictsOf(breaker), (verdict) => told(own(verdict))),
      };
    },
  };
}
