import { read } from '../common/read.js';

/** By what it has here, an error of the library's own is known: what it means. */
const MEANING = Symbol.for('nestjs-bulwark:error');

/** What tells an error apart, and what a client is told by it: nothing of the inside, no names, no times. */
export interface ErrorMeaning {
  readonly code: string;
  /** The status of HTTP. */
  readonly http: number;
  /** The status code of gRPC. */
  readonly grpc: number;
  readonly message: string;
  /** Whether the call was refused without being made, which says nothing about the dependency. @default true */
  readonly rejects?: boolean;
  /** Whether retries in this process wait for its `retryAfterMs`, too. @default false */
  readonly delaysRetries?: boolean;
}

/**
 * Base of the errors by which a call is refused or cut.
 *
 * They are part of normal operation and can come by the thousand, so they carry no stack frames
 * unless asked to (`forRoot({ captureStackTrace: true })`).
 */
export abstract class ResilienceError extends Error {
  /** Tells the error apart from the library's others: `CIRCUIT_OPEN`, `TIMEOUT`. */
  abstract readonly code: string;
  /**
   * Whether it was for want of the client's time: by the deadline that a request brought along, where
   * `inbound.trustDeadline` does not say that it can be relied on. Nothing is learned from it.
   */
  readonly byClient: boolean = false;

  constructor(message: string, captureStackTrace = false, cause?: unknown) {
    const { stackTraceLimit } = Error;
    if (!captureStackTrace) Error.stackTraceLimit = 0;
    super(message, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Says what the errors of a class mean. */
export function giveMeaning(
  { prototype }: abstract new (...args: never[]) => ResilienceError,
  meaning: ErrorMeaning,
): void {
  Object.defineProperty(prototype, MEANING, { value: meaning });
}

/**
 * What `error` means, if it is one of the library's own. Unlike `instanceof` it recognises the errors
 * of a second copy of the package (an ESM and a CommonJS one in the same process).
 */
export function meaningOf(error: unknown): ErrorMeaning | undefined {
  const meaning = read(error, MEANING);
  // A proxy may answer anything, but hardly that.
  return typeof read(meaning, 'code') === 'string' ? (meaning as ErrorMeaning) : undefined;
}

/** Whether `error` is one of the library's own, of the given kind. */
export function isResilienceError(error: unknown, code?: string): boolean {
  const meaning = meaningOf(error);
  return meaning !== undefined && (code === undefined || meaning.code === code);
}

/**
 * Whether a call ended for want of its client's time. That says something about the client, and
 * nothing about the dependency: it is counted nowhere.
 */
export function isImpatience(error: unknown): boolean {
  return isResilienceError(error) && (error as { byClient?: unknown }).byClient === true;
}

/** Whether a call was refused without being made: it says nothing about the dependency. */
export function isRejection(error: unknown): boolean {
  const meaning = meaningOf(error);
  return meaning !== undefined && meaning.rejects !== false;
}
