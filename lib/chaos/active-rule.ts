import { now, Since, wallNow } from '../common/clock.js';
import type { Wait } from '../shutdown/shutdown.js';
import type { ChaosEffect } from './chaos.telemetry.js';
import type { ChaosLatency, ChaosRule } from './chaos-rule.js';
import { matcherOf } from './operation-pattern.js';

/** A rule as `Chaos.list()` shows it. */
export interface ChaosRuleView {
  /** What `add()` returned, and `remove()` takes. */
  id: string;
  /** The pattern, a RegExp as `/…/`. */
  operations?: string;
  /** The dependency whose operations it is for. */
  upstream?: string;
  /** The share of attempts that it happens to, 0 to 1. */
  rate: number;
  /** What it does in the place of the work; `latency` where that is only delayed. */
  effect: ChaosEffect;
  /** How much longer calls take, in ms. */
  latencyMs?: ChaosLatency;
  /** When it ends by itself, ISO 8601. */
  endsAt?: string;
  /** So often it has been injected. */
  injected: number;
}

/** A rule in force. When its time is over it is so without a timer: it is looked at when it is used. */
export class ActiveRule {
  readonly effect: ChaosEffect;
  readonly rate: number;
  injected = 0;
  private readonly since = new Since(now());
  /** By the wall clock, for who looks. */
  private readonly endsAt: Date | undefined;
  private readonly fits: (operation: string) => boolean;
  /** The attempts that it holds up. */
  private readonly waits = new Set<Wait>();
  private ended = false;

  constructor(
    readonly id: string,
    readonly rule: ChaosRule,
  ) {
    const { operations, rate = 1, forMs, until } = rule;
    this.effect = effectOf(rule);
    this.rate = rate;
    this.endsAt = forMs === undefined ? until : new Date(wallNow() + forMs);
    this.fits = operations === undefined ? () => true : matcherOf(operations);
  }

  matches(operation: string, upstream: string | undefined): boolean {
    const { rule } = this;
    return (rule.upstream === undefined || rule.upstream === upstream) && this.fits(operation);
  }

  isOver(at: number): boolean {
    return this.leftMs(at) <= 0;
  }

  /** How long it is still in force, in ms; `Infinity` where it does not end by itself. */
  leftMs(at: number): number {
    const { until, forMs } = this.rule;
    if (this.ended) return 0;
    if (forMs !== undefined) return forMs - this.since.elapsedMs(at);
    return until === undefined ? Number.POSITIVE_INFINITY : until.getTime() - wallNow();
  }

  /** How long ago it was added, in ms. */
  ageMs(at: number): number {
    return this.since.elapsedMs(at);
  }

  /** An attempt waits by it. @returns to be called when that is over */
  holdUp(wait: Wait): () => void {
    this.waits.add(wait);
    return () => this.waits.delete(wait);
  }

  /** What it holds up goes on. */
  end(): void {
    this.ended = true;
    for (const wait of this.waits) wait.stop();
  }

  view(): ChaosRuleView {
    const { id, rule, rate, effect, endsAt, injected } = this;
    const { operations, upstream, latencyMs } = rule;
    return {
      id,
      ...(operations !== undefined && { operations: String(operations) }),
      ...(upstream !== undefined && { upstream }),
      rate,
      effect,
      ...(latencyMs !== undefined && { latencyMs }),
      ...(endsAt !== undefined && { endsAt: endsAt.toISOString() }),
      injected,
    };
  }

  /** Which operations it is for, in words. */
  get target(): string {
    const { operations, upstream } = this.rule;
    const parts = [operations, upstream === undefined ? undefined : `upstream ${upstream}`];
    return parts.filter((each) => each !== undefined).join(', ');
  }

  /** `chaos-1 (PaymentsClient.*: error at 10 % of the attempts)` */
  inWords(): string {
    const { id, rule, rate, effect, endsAt } = this;
    const { latencyMs } = rule;
    const delay = latencyMs === undefined ? '' : ` ${[latencyMs].flat().join('–')} ms`;
    const what = effect === 'latency' || delay === '' ? effect + delay : `${effect} after${delay}`;
    const share = Number((rate * 100).toPrecision(3));
    const end = endsAt === undefined ? '' : `, until ${endsAt.toISOString()}`;
    return `${id} (${this.target}: ${what} at ${share} % of the attempts${end})`;
  }
}

function effectOf({ error, hang, result }: ChaosRule): ChaosEffect {
  if (error !== undefined) return 'error';
  if (hang !== undefined) return 'hang';
  return result === undefined ? 'latency' : 'result';
}
