import type { Dependent } from '../context/dependent.js';
import { follow, unfollow } from '../context/followed-signals.js';
import { retriedOutside } from '../context/retried-errors.js';
import { innermost, Scope } from '../context/scope.js';
import type { CallKey } from '../stage/call-keys.js';

const NOBODY: readonly Waiter[] = [];

/** A caller that waits for shared work. */
export abstract class Waiter implements Dependent {
  previous: Dependent | undefined = undefined;
  next: Dependent | undefined = undefined;
  private adoptedBy: Scope | undefined = undefined;

  /**
   * @param madeIn where it waits
   * @param signals by which its caller gives up
   */
  constructor(
    readonly shared: SharedScope,
    readonly madeIn: Scope | undefined,
    private readonly signals: readonly AbortSignal[],
  ) {}

  /** One that outlives the call that it waits in belongs to the one around that, if any. */
  get caller(): Scope | undefined {
    return innermost(this.madeIn);
  }

  /** Its wait has been cut. */
  abstract cut(reason: unknown): void;

  /** From now on it waits, until the work ends, it leaves, or it is cut. */
  wait(): void {
    this.shared.waiting.add(this);
    this.adoptedBy = this.caller;
    this.adoptedBy?.adopt(this);
    for (const signal of this.signals) if (this.waits) follow(signal, this);
  }

  cancel(reason: unknown): void {
    if (!this.waits) return;
    this.leave(reason);
    this.cut(reason);
  }

  /** It waits no more. The work ends by the reason of the last one who leaves. */
  leave(reason: unknown): void {
    if (this.done()) this.shared.left(reason);
  }

  /** That what it waits for was retried as far as it goes: nobody further out should. */
  noteRetried(error: unknown, passes: boolean): void {
    const { caller, madeIn } = this;
    if (caller !== undefined) {
      if (!caller.aborted) caller.noteRetried(error, passes);
    } else if (madeIn?.detached !== true) {
      retriedOutside.add(error, passes);
    }
  }

  /** @returns whether it waited */
  done(): boolean {
    this.adoptedBy?.release(this);
    for (const signal of this.signals) unfollow(signal, this);
    return this.shared.waiting.delete(this);
  }

  private get waits(): boolean {
    return this.shared.waiting.has(this);
  }
}

/**
 * What work runs in that several callers wait for: it has the latest deadline of theirs and the highest
 * criticality, and ends when nobody waits any more. Those who come through the breakers and bulkheads that are
 * around the one who began it are found as ever.
 */
export class SharedScope extends Scope {
  /** Who began it waits to its end, whatever happens, and needs no `Waiter` for that. */
  protected isAwaited = false;
  private waiters: Set<Waiter> | undefined = undefined;
  private isForgotten = false;

  /**
   * @param running where others find it to join it
   * @param key by which they do
   */
  constructor(
    around: Scope | undefined,
    private readonly running: Map<CallKey, SharedScope>,
    private readonly key: CallKey,
  ) {
    super(1, around, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    running.set(key, this);
  }

  get waiting(): Set<Waiter> {
    this.waiters ??= new Set();
    return this.waiters;
  }

  /** So many wait for it. */
  get count(): number {
    return (this.waiters?.size ?? 0) + (this.isAwaited ? 1 : 0);
  }

  /** From now on nobody can join it. */
  forget(): void {
    if (this.isForgotten) return; // the place may be another one's
    this.isForgotten = true;
    this.running.delete(this.key);
  }

  override get mayBeCut(): boolean {
    return !this.isAwaited;
  }

  /** It belongs to none of them. */
  override get caller(): Scope | undefined {
    return undefined;
  }

  override get deadline(): number {
    return this.latest?.deadline ?? Number.POSITIVE_INFINITY;
  }

  override get timeoutMs(): number {
    return this.latest?.timeoutMs ?? Number.POSITIVE_INFINITY;
  }

  override get impatient(): boolean {
    return this.latest?.impatient ?? false;
  }

  override get critical(): boolean | undefined {
    const all = this.callers.map((caller) => caller?.critical);
    if (all.includes(true)) return true;
    return all.includes(undefined) ? undefined : false;
  }

  override get committed(): boolean {
    return this.callers.every((caller) => caller?.committed);
  }

  override get repeatable(): boolean {
    return this.callers.every((caller) => caller?.repeatable);
  }

  /** It has failed by that, be it a result, and so does the call of each who waits. */
  override noteRetried(error: unknown, passes = false): void {
    this.forget();
    if (this.isAwaited) retriedOutside.add(error, passes);
    for (const each of this.waiting) each.noteRetried(error, passes);
  }

  /**
   * Whether code in a scope is part of the work, or of other shared work that this one waits for: it would
   * wait for itself.
   *
   * @param seen what is known not to be waited for
   */
  waitsFor(scope: Scope | undefined, seen = new Set<SharedScope>()): boolean {
    for (let each = scope; each !== undefined; each = each.around) {
      if (each === this) return true;
      if (!(each instanceof SharedScope) || seen.has(each)) continue;
      seen.add(each);
      for (const { madeIn } of each.waiting) if (this.waitsFor(madeIn, seen)) return true;
    }
    return false;
  }

  /** Somebody waits no more. */
  left(reason: unknown): void {
    if (this.count > 0) return;
    this.forget();
    this.abort(reason);
    this.end();
  }

  /** The work has ended. @returns those who wait for it */
  finish(): readonly Waiter[] {
    this.forget();
    this.end();
    if (this.waiters === undefined) return NOBODY;
    const all = [...this.waiters];
    for (const each of all) each.done();
    return all;
  }

  /** Who waits the longest; nobody who has no deadline. */
  private get latest(): Scope | undefined {
    if (this.isAwaited) return undefined;
    let latest: Scope | undefined;
    for (const caller of this.callers) {
      if (caller === undefined) return undefined;
      if (latest === undefined || caller.deadline > latest.deadline) latest = caller;
    }
    return latest;
  }

  private get callers(): (Scope | undefined)[] {
    const callers = Array.from(this.waiting, ({ caller }) => caller);
    if (this.isAwaited) callers.push(undefined);
    return callers;
  }
}
