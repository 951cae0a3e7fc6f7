import { now } from '../common/clock.js';
import { LinkedList } from '../common/linked-list.js';
import { onNextTurn } from '../common/next-turn.js';
import { openStreamOf } from '../common/open-stream.js';
import { errorChain } from '../errors/error-chain.js';
import { identityOf } from '../errors/failed-result.js';
import { markIfSlowed } from './chaos-marks.js';
import { controllerForMany } from './controller.js';
import type { Caller, Dependent } from './dependent.js';
import { Flow } from './flow.js';
import { QueueTime } from './queue-time.js';
import { RetriedErrors } from './retried-errors.js';
import { TimeoutError } from './timeout.error.js';

/** What every `execute` hands to its function. */
export interface AttemptContext {
  /** Aborted when the attempt times out or its caller gives up. Made when it is first read. */
  readonly signal: AbortSignal;
  /** Which attempt this is; the first is 1. */
  readonly attempt: number;
}

/** Headers and timers know whole ms, so either may end a call almost one too early. */
const RESOLUTION_MS = 2;

/** A scope that makes calls in a loop for ever must not collect their errors for ever. */
const MAX_ERRORS = 1_000;

/** What only some scopes need. */
class Extras {
  controller: AbortController | undefined = undefined;
  retriedErrors: RetriedErrors | undefined = undefined;
  queueTime: QueueTime | undefined = undefined;
  /** Once its breaker has counted the outcome of a call inside, the errors of those that failed. */
  outcomes: Set<unknown> | undefined = undefined;
}

/**
 * What a running piece of work (an attempt, an HTTP request) offers to the calls made inside it: a
 * deadline, and an end that reaches them.
 *
 * The calls inside are told directly, not through the `AbortSignal`: a signal is expensive to make
 * and to listen to, so it exists only where somebody asked for it.
 */
export class Scope implements AttemptContext, Caller {
  aborted = false;
  reason: unknown = undefined;
  private ended = false;
  private dependents: LinkedList<Dependent> | undefined = undefined;
  /** Most calls end without any of it. */
  private extras: Extras | undefined = undefined;

  constructor(
    readonly attempt: number,
    private enclosing: Scope | undefined,
    /** Its own deadline, on the monotonic clock; `Infinity` without one. */
    public expiresAt: number,
    /** What that deadline came from, in ms, for messages. */
    protected readonly ownTimeoutMs: number,
  ) {}

  /** Whether its work is history: calls that outlive it are no longer inside it. */
  get over(): boolean {
    return this.ended;
  }

  /** Whether it may end before what is called in it has: calls need not be ready for that otherwise. */
  get mayBeCut(): boolean {
    return true;
  }

  /** Whether nothing is left of it, not even a slot that its work holds: then it is let go. */
  get gone(): boolean {
    return this.over;
  }

  /** The innermost scope around this one of which something is left. */
  get around(): Scope | undefined {
    while (this.enclosing?.gone) this.enclosing = this.enclosing.enclosing;
    return this.enclosing;
  }

  /** The innermost scope around this one that is not over. */
  get caller(): Scope | undefined {
    return innermost(this.around);
  }

  /** Its own or its caller's, whichever comes first. */
  get deadline(): number {
    return Math.min(this.expiresAt, this.caller?.deadline ?? Number.POSITIVE_INFINITY);
  }

  /** The timeout that the deadline comes from, in ms. */
  get timeoutMs(): number {
    return this.deadline === this.expiresAt
      ? this.ownTimeoutMs
      : (this.caller?.timeoutMs ?? this.ownTimeoutMs);
  }

  /** Whether that deadline is a client's, which may be as short as it likes: nothing is learned from it. */
  get impatient(): boolean {
    return this.deadline !== this.expiresAt && (this.caller?.impatient ?? false);
  }

  /**
   * Whether the time of an impatient client is up, or as good as: what fails now may have been cut
   * further in, by what was said to be left.
   */
  hasLostPatience(at = now()): boolean {
    return this.impatient && this.deadline - at < RESOLUTION_MS;
  }

  /** The error of who runs out of its time. */
  outOfTime(operation?: string, captureStackTrace?: boolean): TimeoutError {
    const error = new TimeoutError(this.timeoutMs, operation, captureStackTrace, this.impatient);
    markIfSlowed(error, this);
    return error;
  }

  /** Which of those that were made of an attempt at once, side by side: the first is 0. */
  get hedge(): number {
    return this.caller?.hedge ?? 0;
  }

  /** Whether its answer has begun: then it can be neither repeated nor replaced. */
  get committed(): boolean {
    return this.caller?.committed ?? false;
  }

  /** Whether it answers a request that can be repeated without harm, by what it is. */
  get repeatable(): boolean {
    return this.caller?.repeatable ?? false;
  }

  /** How much it matters: `true` is critical, `false` may be shed. It flows inward. */
  get critical(): boolean | undefined {
    return this.caller?.critical;
  }

  /** What the attempt before this one failed by, where there was one. */
  get failedBefore(): unknown {
    return undefined;
  }

  /**
   * The permit of the call that it is through a breaker, or any number while it holds a slot of a bulkhead;
   * `undefined` where it has to do with neither.
   */
  permitFor(_policy: object): unknown {
    return undefined;
  }

  /** The innermost call around this one that goes through the breaker, or holds a slot of the bulkhead. */
  callThrough(policy: object): Scope | undefined {
    let each = this.around;
    while (each !== undefined && each.permitFor(policy) === undefined) each = each.around;
    return each;
  }

  /** A call inside, through the same breaker, has been counted: by how it failed, or as one that went well. */
  noteOutcome(failure?: { readonly error: unknown }): void {
    const extras = this.extra();
    extras.outcomes ??= new Set();
    const { outcomes } = extras;
    if (failure !== undefined && outcomes.size < MAX_ERRORS)
      outcomes.add(identityOf(failure.error));
  }

  get hasOutcomes(): boolean {
    return this.extras?.outcomes !== undefined;
  }

  /** Whether an error, or one that it was made of, has been counted so. */
  hasOutcome(error: unknown): boolean {
    const outcomes = this.extras?.outcomes;
    return outcomes !== undefined && errorChain(error).some((each) => outcomes.has(each));
  }

  /** A call inside it begins to wait in a queue of ours, or it does itself. */
  beginWait(at: number): void {
    const extras = this.extra();
    extras.queueTime ??= new QueueTime();
    extras.queueTime.begin(at);
    this.around?.beginWait(at);
  }

  endWait(at: number): void {
    this.extras?.queueTime?.end(at);
    this.around?.endWait(at);
  }

  /** How long it has waited in queues of ours, in ms. */
  queuedMs(at: number): number {
    return this.extras?.queueTime?.totalMs(at) ?? 0;
  }

  /** Whether it waits in a queue of ours, and has since it began, as good as. */
  isQueued(since: number, at: number): boolean {
    return this.extras?.queueTime?.isWaiting === true && this.queuedMs(at) >= (at - since) * 0.9;
  }

  get signal(): AbortSignal {
    const extras = this.extra();
    if (extras.controller === undefined) {
      extras.controller = controllerForMany();
      if (this.aborted) extras.controller.abort(this.reason);
    }
    return extras.controller.signal;
  }

  /** From now on `dependent` is cancelled with this scope, until it is released. */
  adopt(dependent: Dependent): void {
    this.dependents ??= new LinkedList();
    this.dependents.append(dependent);
  }

  release(dependent: Dependent): void {
    this.dependents?.remove(dependent);
  }

  /**
   * A call made inside has been retried until it gave up, with this error.
   *
   * @param passes whether it is a constant, handed on
   */
  noteRetried(error: unknown, passes = false): void {
    const extras = this.extra();
    extras.retriedErrors ??= new RetriedErrors();
    extras.retriedErrors.add(error, passes);
  }

  /** Whether an error, or one that it was made of, comes from a call inside that was retried until it gave up. */
  hasRetried(error: unknown): boolean {
    return this.retriedErrors?.has(error) ?? false;
  }

  /** Those of calls inside. */
  get retriedErrors(): RetriedErrors | undefined {
    return this.extras?.retriedErrors;
  }

  /**
   * Ends everything inside, innermost first. Later calls do nothing. The listeners of its signal run in
   * the async context that this is called in.
   */
  abort(reason: unknown): void {
    if (this.aborted || this.ended) return;
    this.aborted = true;
    this.reason = reason;
    const { dependents } = this;
    this.dependents = undefined;
    for (const dependent of dependents?.taken() ?? []) dependent.cancel(reason);
    this.extras?.controller?.abort(reason);
  }

  /**
   * Its work has ended, or nobody waits for what an abandoned one still does: what runs inside from now
   * on is on its own. What abandoned work does in reaction to its abort is still inside.
   */
  end(): void {
    const { dependents } = this;
    this.dependents = undefined;
    if (this.aborted) onNextTurn(() => this.leaveBehind());
    else this.leaveBehind();
    for (const each of dependents?.taken() ?? []) each.moveOn?.(this.caller);
  }

  /**
   * It has ended well with this answer. Where that is a stream, the signal that was given to it is
   * aborted with the caller from now on.
   */
  flowOn(answer: unknown): void {
    const controller = this.extras?.controller;
    if (controller === undefined) return;
    const { caller } = this;
    if (caller === undefined) return;
    const stream = openStreamOf(answer);
    if (stream !== undefined) new Flow(stream, controller, caller);
  }

  /** Whether what runs in it was detached from the calls around. */
  get detached(): boolean {
    return this.around?.detached ?? false;
  }

  private extra(): Extras {
    this.extras ??= new Extras();
    return this.extras;
  }

  private leaveBehind(): void {
    this.ended = true;
  }
}

/** The innermost scope that is not over, from this one outwards. */
export function innermost(scope: Scope | undefined): Scope | undefined {
  return scope?.over ? scope.caller : scope;
}
