import { describeError, type ErrorDescription } from '../index.js';
import type { Failure } from './frame.js';

const MAX_MESSAGE = 500;

/** What the page shows of an error. Never throws, whatever was thrown. */
export function failureOf(error: unknown): Failure {
  const cause = causeOf(error);
  return shownOf(describeError(error), cause === undefined ? undefined : describeError(cause));
}

/** The same of what has been described already. */
export function shownOf(
  { type, message }: ErrorDescription,
  cause: ErrorDescription | undefined,
): Failure {
  const failure: Failure = { type, message: cut(message) };
  if (cause !== undefined) failure.cause = { type: cause.type, message: cut(cause.message) };
  return failure;
}

function causeOf(error: unknown): unknown {
  try {
    return (error as { cause?: unknown } | undefined)?.cause ?? undefined;
  } catch {
    return undefined; // an error that cannot be read
  }
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
}
