import { HttpException, HttpStatus } from '@nestjs/common';
import {
  isResilienceError,
  type ResilienceError,
  type ResilienceErrorCode,
} from '../common/resilience.error.js';

interface Answer {
  status: HttpStatus;
  error: string;
  message: string;
}

/** What a client is told. Nothing of the inside: no names of breakers, no timeouts. */
const ANSWERS: Record<ResilienceErrorCode, Answer> = {
  TIMEOUT: {
    status: HttpStatus.GATEWAY_TIMEOUT,
    error: 'Gateway Timeout',
    message: 'The request took too long',
  },
  CIRCUIT_OPEN: {
    status: HttpStatus.SERVICE_UNAVAILABLE,
    error: 'Service Unavailable',
    message: 'The service is temporarily unavailable',
  },
  BULKHEAD_FULL: {
    status: HttpStatus.SERVICE_UNAVAILABLE,
    error: 'Service Unavailable',
    message: 'The service is overloaded',
  },
};

/** The HTTP exception that a resilience error becomes; `undefined` for any other error. */
export function httpExceptionFor(error: unknown): HttpException | undefined {
  if (!isResilienceError(error)) return undefined;
  const { code } = error as ResilienceError;
  const { status, ...words } = ANSWERS[code];
  return new HttpException({ statusCode: status, ...words, code }, status, { cause: error });
}

/** For `Retry-After`: whole seconds, rounded up, at least 1; `undefined` where nothing can be said. */
export function retryAfterSeconds(error: unknown): number | undefined {
  if (!isResilienceError(error, 'CIRCUIT_OPEN')) return undefined;
  return Math.max(1, Math.ceil((error as { retryAfterMs: number }).retryAfterMs / 1_000));
}
