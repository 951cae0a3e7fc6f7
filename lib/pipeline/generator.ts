import { runInScope } from '../context/ambient.js';
import type { Attempt } from './attempt.js';

/** A generator that has given its first value, and the attempt that it gave it in. */
export class Begun<T> {
  constructor(
    private readonly values: AsyncGenerator<T>,
    private readonly first: IteratorResult<T>,
    private readonly attempt: Attempt<Begun<T>>,
  ) {}

  /** The values, from the first on. The attempt's slot is free when they have ended. */
  async *all(): AsyncGenerator<T> {
    try {
      for (let next = this.first; !next.done; next = await this.next()) yield next.value;
    } finally {
      await this.values.return(undefined).finally(() => this.attempt.finish());
    }
  }

  private next(): Promise<IteratorResult<T>> {
    return runInScope(this.attempt, () => this.values.next());
  }
}

/** Begins a generator in an attempt, which succeeds by the first value. */
export function beginGenerator<T>(
  attempt: Attempt<Begun<T>>,
  generate: () => AsyncGenerator<T>,
): void {
  const fail = (error: unknown) => {
    attempt.finish();
    attempt.fail(error);
  };
  try {
    const values = runInScope(attempt, generate);
    const stop = () => {
      values.return(undefined).then(
        () => attempt.finish(),
        () => attempt.finish(), // what abandoned work throws is dropped
      );
    };
    attempt.onAbandoned = stop;
    runInScope(attempt, () => values.next()).then((first) => {
      if (!attempt.succeed(new Begun(values, first, attempt))) stop();
    }, fail);
  } catch (error) {
    fail(error);
  }
}
