import { read } from './read.js';

const BRAND = Symbol.for('nestjs-bulwark:error');

const CODES = ['TIMEOUT', 'CIRCUIT_OPEN', 'BULKHEAD_FULL'] as const;

/** What tells the library's own errors apart, on every transport. */
export type ResilienceErrorCode = (typeof CODES)[number];

/**
 * Base of the errors by which a call is refused or cut.
 *
 * They are part of normal operation and can come by the thousand, so they carry no stack frames
 * unless asked to (`forRoot({ captureStackTrace: true })`).
 */
export abstract class ResilienceError extends Error {
  abstract readonly code: ResilienceErrorCode;
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

Object.defineProperty(ResilienceError.prototype, BRAND, { value: true });

/**
 * Whether `error` is one of the library's own, of the given kind. Unlike `instanceof` it recognises
 * the errors of a second copy of the package (an ESM and a CommonJS one in the same process).
 */
export function isResilienceError(error: unknown, code?: ResilienceErrorCode): boolean {
  if (read(error, BRAND) !== true) return false; // a proxy may answer anything, but hardly that
  const own = read(error, 'code');
  return code === undefined ? CODES.includes(own as ResilienceErrorCode) : own === code;
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
  return isResilienceError(error, 'CIRCUIT_OPEN') || isResilienceError(error, 'BULKHEAD_FULL');
}
