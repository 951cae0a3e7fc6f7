import { getMaxListeners, setMaxListeners } from 'node:events';
import { now } from '../common/clock.js';
import { onNextTurn } from '../common/next-turn.js';
import { openStreamOf } from '../common/open-stream.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import { errorChain } from './error-chain.js';
import { Flow } from './flow.js';
import { QueueTime } from './queue-time.js';
import { RetriedErrors } from './retried-errors.js';

/** What every `execute` hands to its function. */
export interface AttemptContext {
  /** Aborted when the attempt times out or its caller gives up. Made when it is first read. */
  readonly signal: AbortSignal;
  /** Which attempt this is; the first is 1. */
  readonly attempt: number;
}

/** A call that ends when the scope that it was made in is aborted. */
export interface Dependent {
  cancel(reason: unknown): void;
  /** The scope has ended well. Without this, what outlives it is on its own. */
  moveOn?(caller: Scope | undefined): void;
}

/** Headers and timers know whole ms, so either may end a call almost one too early. */
const RESOLUTION_MS = 2;

/** A scope that makes calls in a loop for ever must not collect their errors for ever. */
const MAX_ERRORS = 1_000;

/**
 * What a running piece of work (an attempt, an HTTP request) offers to the calls made inside it: a
 * deadline, and an end that reaches them.
 *
 * The calls inside are told directly, not through the `AbortSignal`: a signal is expensive to make
 * and to listen to, so it exists only where somebody asked for it.
 */
export class Scope implements AttemptContext {
  aborted = false;
  reason: unknown = undefined;
  private ended = false;
  private controller: AbortController | undefined = undefined;
  private dependents: Set<Dependent> | undefined = undefined;
  private retriedErrors: RetriedErrors | undefined = undefined;
  private queueTime: QueueTime | undefined = undefined;
  /** Once its breaker has counted the outcome of a call inside, the errors of those that failed. */
  private outcomes: Set<unknown> | undefined = undefined;

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
    return new TimeoutError(this.timeoutMs, operation, captureStackTrace, this.impatient);
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
  permitFor(_policy: object): number | undefined {
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
    this.outcomes ??= new Set();
    if (failure !== undefined && this.outcomes.size < MAX_ERRORS) this.outcomes.add(failure.error);
  }

  get hasOutcomes(): boolean {
    return this.outcomes !== undefined;
  }

  /** Whether an error, or one that it was made of, has been counted so. */
  hasOutcome(error: unknown): boolean {
    const { outcomes } = this;
    return outcomes !== undefined && errorChain(error).some((each) => outcomes.has(each));
  }

  /** A call inside it begins to wait in a queue of ours, or it does itself. */
  beginWait(at: number): void {
    this.queueTime ??= new QueueTime();
    this.queueTime.begin(at);
    this.around?.beginWait(at);
  }

  endWait(at: number): void {
    this.queueTime?.end(at);
    this.around?.endWait(at);
  }

  /** How long it has waited in queues of ours, in ms. */
  queuedMs(at: number): number {
    return this.queueTime?.totalMs(at) ?? 0;
  }

  /** Whether it waits in a queue of ours, and has since it began, as good as. */
  isQueued(since: number, at: number): boolean {
    return this.queueTime?.isWaiting === true && this.queuedMs(at) >= (at - since) * 0.9;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (WARNS_OF_LISTENERS) allowListeners(this.controller.signal);
      if (this.aborted) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** From now on `dependent` is cancelled with this scope, until it is released. */
  adopt(dependent: Dependent): void {
    this.dependents ??= new Set();
    this.dependents.add(dependent);
  }

  release(dependent: Dependent): void {
    this.dependents?.delete(dependent);
  }

  /**
   * A call made inside has been retried until it gave up, with this error.
   *
   * @param isConstant whether several of its attempts, or of those inside it, failed by the very same
   */
  noteRetried(error: unknown, isConstant = false): void {
    this.retriedErrors ??= new RetriedErrors();
    this.retriedErrors.add(error, isConstant);
  }

  /** Whether an error, or one that it was made of, comes from a call inside that was retried until it gave up. */
  hasRetried(error: unknown): boolean {
    return this.retriedErrors?.has(error) ?? false;
  }

  /** Whether several attempts of a call inside failed by this very error. */
  hasRetriedConstant(error: unknown): boolean {
    return this.retriedErrors?.isConstant(error) ?? false;
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
    if (dependents !== undefined) for (const dependent of dependents) dependent.cancel(reason);
    this.controller?.abort(reason);
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
    if (dependents !== undefined) for (const each of dependents) each.moveOn?.(this.caller);
  }

  /**
   * It has ended well with this answer. Where that is a stream, the signal that was given to it is
   * aborted with the caller from now on.
   */
  flowOn(answer: unknown): void {
    const { controller, caller } = this;
    if (controller === undefined || caller === undefined) return;
    const stream = openStreamOf(answer);
    if (stream !== undefined) new Flow(stream, controller, caller);
  }

  private leaveBehind(): void {
    this.ended = true;
  }
}

/** The innermost scope that is not over, from this one outwards. */
export function innermost(scope: Scope | undefined): Scope | undefined {
  return scope?.over ? scope.caller : scope;
}

/** Whether this Node warns of more than ten listeners at a signal, as Node 20 does. */
const WARNS_OF_LISTENERS = warnsOfListeners();

function warnsOfListeners(): boolean {
  try {
    return getMaxListeners(new AbortController().signal) > 0;
  } catch {
    return false; // a signal that is not Node's, such as jsdom's
  }
}

/** One call may well start a dozen requests. */
function allowListeners(signal: AbortSignal): void {
  try {
    setMaxListeners(0, signal);
  } catch {} // a test has put another kind in place since
}
