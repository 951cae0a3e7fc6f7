import { isError } from '../common/is-error.js';

const MAX_MESSAGE = 2_048;
const MAX_TYPE = 100;

/** The type of what is thrown without being an `Error`. */
export const NON_ERROR = 'NonError';

/** What can be said about anything thrown. */
export interface ErrorDescription {
  type: string;
  /** Cut at 2 kB. */
  message: string;
}

/**
 * What channels, recorders and tracers of one's own can say about what they are given. It never throws,
 * whatever was thrown: text, a proxy that was revoked, an error whose properties cannot be read.
 */
export function describeError(error: unknown): ErrorDescription {
  try {
    if (!isError(error)) return { type: NON_ERROR, message: cut(String(error), MAX_MESSAGE) };
    return {
      type: typeOf(error),
      message: cut(String(error.message), MAX_MESSAGE),
    };
  } catch {
    return { type: NON_ERROR, message: 'an error that cannot be read' };
  }
}

/** Made by the engine when it is read, at some expense. */
export function stackOf(error: unknown): string | undefined {
  try {
    return isError(error) && typeof error.stack === 'string' ? error.stack : undefined;
  } catch {
    return undefined; // an error that cannot be read
  }
}

export function errorType(error: unknown): string {
  return isError(error) ? describeError(error).type : NON_ERROR;
}

/** The name, or where nobody gave one (a plain subclass), that of the class. */
function typeOf(error: Error): string {
  const name = error.name === 'Error' ? error.constructor.name : error.name;
  return cut(String(name || 'Error'), MAX_TYPE);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
