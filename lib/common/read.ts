/**
 * A property of something thrown, which may be anything: `undefined` where it has none, and where it
 * cannot be read (a getter that throws, a proxy that was revoked).
 */
export function read(thrown: unknown, property: PropertyKey): unknown {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  try {
    return (thrown as Record<PropertyKey, unknown>)[property];
  } catch {
    return undefined;
  }
}

/** The first `most` entries of what may be an array, and cannot be trusted to be a short one. */
export function* entriesOf(list: unknown, most: number): Generator<unknown> {
  try {
    if (!Array.isArray(list)) return;
    for (let index = 0; index < most && index < list.length; index++) yield list[index];
  } catch {} // a proxy
}
