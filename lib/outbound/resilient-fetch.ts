import { currentSignal } from '../context/ambient.js';
import { beginningOf } from './answer-body.js';
import { HttpResponseError } from './http-response.error.js';
import { outboundHeaders } from './outbound-headers.js';

/**
 * `fetch` for code inside a resilient call or a request:
 *
 * - it ends when the attempt around it does (`currentSignal()`), besides by `init.signal`;
 * - it sends `outboundHeaders()`; headers of the same name in `init` win;
 * - an answer with a status of 400 or more is thrown, so that it counts as a failure, or, below 500,
 *   as a client error. (A redirect or a 304 arrives only where it was asked for, and is returned.)
 *
 * @throws HttpResponseError; the signal's reason; what `fetch` throws where there is no answer
 * @example
 * class Inventory {@Retry()@Timeout(1_000)
 *   async find(id: string): Promise<{ id: string }> {
 *     const response = await resilientFetch(`http://inventory/items/${id}`);
 *     return (await response.json()) as { id: string };
 *   }
 * }
 */
export async function resilientFetch(
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  const request = input instanceof Request ? input : undefined;
  const headers = new Headers(init.headers ?? request?.headers);
  for (const [name, value] of Object.entries(outboundHeaders())) {
    if (!headers.has(name)) headers.set(name, value);
  }
  const own = init.signal ?? request?.signal;
  const signal = own == null ? currentSignal() : AbortSignal.any([currentSignal(), own]);
  const response = await fetch(input, { ...init, headers, signal });
  if (response.status < 400) return response;
  throw new HttpResponseError(response, await beginningOf(response.body, signal));
}
