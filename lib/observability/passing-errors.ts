import { identityOf } from '../errors/failed-result.js';
import type { Passage } from '../pipeline/stages.js';

/** The operations that an error has failed since it was counted, and where it went on to. */
interface PassedBy {
  readonly operations: string[];
  around: object | undefined;
}

/**
 * One error may fail several operations on its way out, and is one error. But one that comes to an
 * operation again is a new failure, thrown with an old object, unless the operation called itself.
 */
export class PassingErrors {
  private byError = new WeakMap<object, PassedBy>();

  /** @returns whether the error was told of before, and passes through one more operation */
  passes(error: unknown, operation: string, passage: Passage | undefined): boolean {
    const failure = identityOf(error);
    if (typeof failure !== 'object' || failure === null) return false;
    const before = this.byError.get(failure);
    const around = passage?.around;
    const fromInside = before?.around !== undefined && before.around === passage?.inside;
    if (before === undefined || (before.operations.includes(operation) && !fromInside)) {
      this.byError.set(failure, { operations: [operation], around });
      return false;
    }
    if (!before.operations.includes(operation)) before.operations.push(operation);
    before.around = around;
    return true;
  }

  clear(): void {
    this.byError = new WeakMap();
  }
}
