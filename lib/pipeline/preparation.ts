import { runInScope } from '../context/ambient.js';
import { Scope } from '../context/scope.js';
import type { Wait } from '../shutdown/shutdown.js';

/** What runs between the attempts of a call, inside of it. It can be ended early. */
export class Preparation extends Scope implements Wait {
  private endEarly: (() => void) | undefined = undefined;

  /** @param operation whose next attempt it is for */
  constructor(
    private readonly operation: object,
    attempt: number,
    madeIn: Scope | undefined,
  ) {
    super(attempt, madeIn, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  override get hedge(): number {
    return 0;
  }

  /** It surfaces from the call. */
  override noteRetried(error: unknown, passes = false): void {
    this.caller?.noteRetried(error, passes);
  }

  /**
   * @returns whether the attempt may begin: not where it was stopped
   * @throws what the work throws
   */
  async run(work: () => unknown): Promise<boolean> {
    try {
      return await new Promise<boolean>((resolve, reject) => {
        this.endEarly = () => resolve(false);
        Promise.resolve(runInScope(this, work)).then(() => resolve(true), reject);
      });
    } finally {
      this.end();
    }
  }

  /** @param reason why nobody waits for the attempt any more; the application has ended, where none is given */
  stop(reason: unknown = new DOMException('The application has ended', 'AbortError')): void {
    this.endEarly?.();
    this.abort(reason);
  }

  /** Whether a scope is inside of what prepares an attempt of an operation, detached work included. */
  static isOf(operation: object, scope: Scope | undefined): boolean {
    for (let each = scope; each !== undefined; each = each.around)
      if (each instanceof Preparation && each.operation === operation) return true;
    return false;
  }
}
