import { isError } from '../common/is-error.js';
import { read } from '../common/read.js';
import { maskSecrets } from '../common/secret-text.js';
import { isRejection, isResilienceError } from './resilience.error.js';

/** Of a message, and of any other text that comes from elsewhere. */
export const MAX_TEXT = 2_048;
const MAX_STACK = 16_384;
const MAX_TYPE = 100;

/** The type of what is thrown without being an `Error`. */
const NON_ERROR = 'NonError';

/** What can be said about anything thrown. */
export interface ErrorDescription {
  /** The error's name; `NonError` for what is not an `Error`. */
  type: string;
  /** Cut at 2 kB, and without what looks like a secret. */
  message: string;
}

/** What is told of an error: what it is, and what it came from. */
export interface ToldError extends ErrorDescription {
  /** By its `cause`: why a fetch failed, or what opened the breaker that rejects. */
  cause?: ErrorDescription | undefined;
}

/** Something that has an error, and maybe what is told of it. */
type Telling = Partial<ToldError> & { error?: unknown };

/**
 * What channels, recorders and tracers of one's own can say about what they are given. It never throws,
 * whatever was thrown: text, a proxy that was revoked, an error whose properties cannot be read.
 */
export function describeError(error: unknown): ErrorDescription {
  try {
    if (!isError(error)) return { type: NON_ERROR, message: bounded(textOf(error)) };
    // Those of the library have no secret in them, and come by the thousand.
    if (isResilienceError(error)) return { type: error.name, message: error.message };
    return { type: typeOf(error), message: bounded(messageOf(error)) };
  } catch {
    return { type: NON_ERROR, message: 'an error that cannot be read' };
  }
}

/** The fields of a record that say what failed, and by what. An error that was not told yet is told here. */
export function errorFields({ type, message, cause, error }: Telling): Record<string, string> {
  const told =
    type === undefined || message === undefined ? describeError(error) : { type, message };
  const fields: Record<string, string> = { error_type: told.type, error_message: told.message };
  if (cause !== undefined)
    Object.assign(fields, { cause_type: cause.type, cause_message: cause.message });
  return fields;
}

/** The same in one line. */
export function errorInWords(telling: Telling): string {
  const { error_type, error_message, cause_type, cause_message } = errorFields(telling);
  const why = cause_type === undefined ? '' : ` (cause: ${cause_type}: ${cause_message})`;
  return `${error_type}: ${error_message}${why}`;
}

/** Made by the engine when it is read, at some expense. A long message in it leaves room for the frames. */
export function stackOf(error: unknown): string | undefined {
  try {
    if (!isError(error) || typeof error.stack !== 'string') return undefined;
    const message = String(error.message);
    const stack = error.stack.replace(message, () => cut(message, MAX_TEXT));
    return maskSecrets(cut(stack, MAX_STACK));
  } catch {
    return undefined; // an error that cannot be read
  }
}

export function errorType(error: unknown): string {
  try {
    return isError(error) ? typeOf(error) : NON_ERROR;
  } catch {
    return NON_ERROR;
  }
}

/** So many rejections may have come from each other. */
const MAX_REJECTIONS = 10;

/** What an error came from; where that is a rejection by another breaker, what that one came from. */
export function causeOf(error: unknown): unknown {
  let cause = isError(error) ? read(error, 'cause') : undefined;
  for (let depth = 0; depth < MAX_REJECTIONS && isRejection(cause); depth++)
    cause = read(cause, 'cause') ?? cause;
  return cause ?? undefined;
}

/** The text of a list would be made of all that is in it; a message that failed is answered by a plain object. */
function textOf(thrown: unknown): string {
  if (Array.isArray(thrown)) return `Array(${thrown.length})`;
  if (ArrayBuffer.isView(thrown)) return `${thrown.constructor.name}(${thrown.byteLength} bytes)`;
  const message = read(thrown, 'message');
  return String(typeof message === 'string' ? message : thrown);
}

/** Node's own `AggregateError` of a connection that failed has a code, and no message. */
function messageOf(error: Error & { code?: unknown }): string {
  const { message, code } = error;
  return String(message === '' && typeof code === 'string' ? code : message);
}

/** The name, or where nobody gave one (a plain subclass), that of the class. */
function typeOf(error: Error): string {
  const name = error.name === 'Error' ? error.constructor.name : error.name;
  return ownText(String(name || 'Error'), MAX_TYPE);
}

function bounded(text: string): string {
  return maskSecrets(ownText(text, MAX_TEXT));
}

/** A text of its own: a part of a large one (`body.slice(0, 200)`) would keep all of it in memory. */
function ownText(text: string, length: number): string {
  return ` ${cut(text, length)}`.slice(1);
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, Math.max(0, length - 1))}…` : text;
}
