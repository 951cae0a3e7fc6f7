/**
 * An async generator method under a pipeline: as with an Observable, an attempt lasts until the first
 * value, and what comes after passes through.
 */
export async function* resilientGenerator<T>(
  begin: (attempt: () => Promise<Begun<T>>) => Promise<Begun<T> | T>,
  generate: () => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const begun = await begin(async () => {
    const values = generate();
    return new Begun(values, await values.next());
  });
  if (!(begun instanceof Begun)) {
    yield begun; // a fallback's answer
    return;
  }
  const { values, first } = begun;
  if (first.done) return;
  try {
    yield first.value;
    yield* values;
  } finally {
    await values.return(undefined);
  }
}

/** A generator that has given its first value. */
export class Begun<T> {
  constructor(
    readonly values: AsyncGenerator<T>,
    readonly first: IteratorResult<T>,
  ) {}
}
