import type { ErrorDescription } from '../index.js';
import type { Failure } from './frame.js';

const MAX_MESSAGE = 500;

/** What the `ErrorTracker` tells of an error. */
export type ToldError = ErrorDescription & { cause?: ErrorDescription | undefined };

/** What the page shows of an error. */
export function failureOf({ type, message, cause }: ToldError): Failure {
  const failure: Failure = { type, message: cut(message) };
  if (cause !== undefined) failure.cause = { type: cause.type, message: cut(cause.message) };
  return failure;
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
}
