import { now } from '../common/clock.js';
import {
  CLIENT,
  CRITICAL,
  REQUEST_ATTEMPT,
  REQUEST_CRITICALITY,
  REQUEST_TIMEOUT,
  REQUEST_TIMEOUT_ORIGIN,
  SHEDDABLE,
} from '../common/request-headers.js';
import { enclosingScope } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';

/**
 * What to send with a call to another service, so that it knows what this one knows:
 *
 * - `x-request-timeout-ms`: what is left of the deadline, in whole ms, rounded down, at least 0. It
 *   is relative, so clocks need not agree (as `grpc-timeout`, and Envoy's
 *   `x-envoy-expected-rq-timeout-ms`). Absent where there is no deadline.
 * - `x-request-timeout-origin: client`, where that deadline was brought along by a request and is not
 *   trusted (`inbound.trustDeadline`): then it is not to be trusted further in either.
 * - `x-request-attempt`: which attempt this is, from 1 (as Envoy's `x-envoy-attempt-count`). For logs.
 * - `x-request-criticality`: `critical` or `sheddable`, by `@Critical()` and `@Critical(false)` of
 *   the calls around (after the criticalities in "Handling Overload", Google SRE). Absent where
 *   nobody says.
 *
 * Outside a resilient call or a request, nothing. A service with this library reads them by itself.
 *
 * @example
 * await got('https://shop.test', { headers: outboundHeaders(), signal: currentSignal() });
 * @example
 * // of gRPC, where service is what Nest's ClientGrpc makes
 * service.find({ id: 1 }, Metadata.fromHttp2Headers(outboundHeaders()), outboundCallOptions());
 */
export function outboundHeaders(): Record<string, string> {
  const scope = enclosingScope();
  if (scope === undefined) return {};
  const headers: Record<string, string> = { [REQUEST_ATTEMPT]: String(scope.attempt) };
  const leftMs = timeLeft(scope);
  if (leftMs !== undefined) headers[REQUEST_TIMEOUT] = String(Math.floor(leftMs));
  if (scope.impatient) headers[REQUEST_TIMEOUT_ORIGIN] = CLIENT;
  const { critical } = scope;
  if (critical !== undefined) headers[REQUEST_CRITICALITY] = critical ? CRITICAL : SHEDDABLE;
  return headers;
}

/**
 * The options of a call by a client of gRPC (`@grpc/grpc-js`): the deadline of the calls around, which
 * goes over the wire as `grpc-timeout`. Without one, and outside, no options.
 */
export function outboundCallOptions(): {
  /** When the caller stops waiting; missing where there is no deadline. */
  deadline?: Date;
} {
  const leftMs = timeLeft(enclosingScope());
  return leftMs === undefined ? {} : { deadline: new Date(Date.now() + leftMs) };
}

/** In ms, at least 0; `undefined` without a deadline. */
function timeLeft(scope: Scope | undefined): number | undefined {
  const deadline = scope?.deadline ?? Number.POSITIVE_INFINITY;
  return deadline === Number.POSITIVE_INFINITY ? undefined : Math.max(0, deadline - now());
}
