const MAX_ERRORS = 50;

/**
 * An error, and those that it was made of: by `cause`, and of an `AggregateError` by `errors`. Each
 * once, also where they go in a circle; errors that cannot be read end the search there.
 */
export function errorChain(error: unknown): unknown[] {
  const chain = [error];
  for (let next = 0; next < chain.length && chain.length < MAX_ERRORS; next++) {
    for (const inner of madeOf(chain[next])) if (!chain.includes(inner)) chain.push(inner);
  }
  return chain;
}

function madeOf(error: unknown): unknown[] {
  if (typeof error !== 'object' || error === null) return [];
  try {
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    return [...(cause === undefined ? [] : [cause]), ...(Array.isArray(errors) ? errors : [])];
  } catch {
    return [];
  }
}
