import { catchError, from, type MonoTypeOperatorFunction, mergeMap, throwError } from 'rxjs';
import type { ErrorMapping } from './edge-errors.js';

/** Replaces a stream's error by what it becomes. */
export function mapStreamErrors<T>(map: ErrorMapping): MonoTypeOperatorFunction<T> {
  return catchError((error: unknown) =>
    from(map(error)).pipe(mergeMap((mapped) => throwError(() => mapped ?? error))),
  );
}
