import type { ArgumentsHost, HttpServer } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { catchError, type Observable, throwError } from 'rxjs';

/** Makes of an error the HTTP exception that its client is told; `undefined` where it is none of ours. */
type Mapping = (error: unknown, host: ArgumentsHost) => unknown;

/** By the HTTP adapter of the application, which Nest's filter knows. */
const mappings = new WeakMap<object, Mapping>();

const base = BaseExceptionFilter.prototype;
const { handleUnknownError } = base;
let takesPart = false;

/**
 * An application's filter that catches everything mostly extends `BaseExceptionFilter`, and leaves to it
 * the answer. That is 500 for whatever is no HTTP exception: here, what `mapping` makes one is answered
 * as that. Applications that do not ask for it are answered as ever.
 */
export function mapInBaseFilter(adapter: object, mapping: Mapping): void {
  mappings.set(adapter, mapping);
  if (takesPart) return;
  takesPart = true;
  base.handleUnknownError = function (error, host, adapter) {
    const exception = mappings.get(adapter as HttpServer)?.(error, host);
    if (exception === undefined) handleUnknownError.call(this, error, host, adapter);
    else base.catch.call(this, exception, host);
  };
}

/** Nest's filter of messages, a class of an optional peer. */
export interface BaseRpcFilterClass {
  new (): { catch(error: unknown, host: ArgumentsHost): Observable<never> };
  readonly prototype: { handleUnknownError(error: unknown, status: string): Observable<never> };
}

const advised = new WeakSet<object>();

/**
 * Likewise of messages, for filters that extend `BaseRpcExceptionFilter`, and for Nest's own.
 *
 * @param advise makes of what is answered for an error what is answered in its place
 */
export function adviseInBaseRpcFilter(
  type: BaseRpcFilterClass,
  advise: (error: unknown, answer: object) => object,
): void {
  if (advised.has(type)) return;
  advised.add(type);
  const { handleUnknownError } = type.prototype;
  type.prototype.handleUnknownError = function (error, status) {
    const answered = handleUnknownError.call(this, error, status);
    return answered.pipe(catchError((answer) => throwError(() => advise(error, answer))));
  };
}
