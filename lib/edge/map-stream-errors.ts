import { catchError, from, type MonoTypeOperatorFunction, mergeMap, throwError } from 'rxjs';

/** Replaces a stream's error by what `map` resolves to. */
export function mapStreamErrors<T>(
  map: (error: unknown) => Promise<unknown>,
): MonoTypeOperatorFunction<T> {
  return catchError((error: unknown) =>
    from(map(error)).pipe(mergeMap((mapped) => throwError(() => mapped))),
  );
}
