import { entriesOf, read } from '../common/read.js';

/** Node takes no more headers in one message either. */
const MAX_HEADERS = 2_000;

/** Longer values are none of those that we know. */
const MAX_LENGTH = 1_000;

/**
 * What a header of the answer says that an error carries: in `error.response.headers` or
 * `error.headers`, be they a `Headers`, an object, or undici's raw list of names and values.
 *
 * @param name in lower case
 * @returns where it came several times, all of them, as HTTP joins them; `undefined` without any
 */
export function headerOf(error: unknown, name: string): string | undefined {
  return (
    valueIn(read(read(error, 'response'), 'headers'), name) ?? valueIn(read(error, 'headers'), name)
  );
}

/** The same of gRPC's metadata. */
export function metadataOf(error: unknown, name: string): string | undefined {
  return valueIn(read(error, 'metadata'), name);
}

/** The same of headers themselves, in any of those forms. */
export function valueIn(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  try {
    const { get } = headers as { get?: unknown };
    const values = typeof get === 'function' ? get.call(headers, name) : fields(headers, name);
    return joined(values);
  } catch {
    return undefined; // what cannot be read tells us nothing
  }
}

/** Of an object or a raw list, whose names come in any case. */
function fields(headers: object, name: string): unknown[] {
  const isName = (key: unknown) => String(key).toLowerCase() === name;
  const found: unknown[] = [];
  if (Array.isArray(headers)) {
    const last = Math.min(headers.length, 2 * MAX_HEADERS) - 1;
    for (let at = 0; at < last; at += 2) if (isName(headers[at])) found.push(headers[at + 1]);
    return found;
  }
  let seen = 0;
  for (const key in headers) {
    if (++seen > MAX_HEADERS) break;
    if (key.length === name.length && isName(key))
      found.push((headers as Record<string, unknown>)[key]);
  }
  return found.flatMap((value) =>
    Array.isArray(value) ? [...entriesOf(value, MAX_HEADERS)] : value,
  );
}

function joined(values: unknown): string | undefined {
  const texts = [...(Array.isArray(values) ? entriesOf(values, MAX_HEADERS) : [values])]
    .map(text)
    .filter((each) => each !== undefined);
  const all = texts.join(', ');
  return texts.length === 0 || all.length > MAX_LENGTH ? undefined : all;
}

function text(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || Buffer.isBuffer(value) ? String(value) : undefined;
}
