import { currentSignal } from '../context/ambient.js';
import { beginningOf } from './answer-body.js';
import { HttpResponseError } from './http-response.error.js';
import { outboundHeaders } from './outbound-headers.js';

/** What is needed of undici's `request`, be it of whichever version. */
// biome-ignore lint/suspicious/noExplicitAny: each version of undici has types of its own
export type UndiciRequest = (url: any, options?: any) => Promise<UndiciAnswer>;

/** What is needed of the answer that undici's `request` resolves to, be it of whichever version. */
export interface UndiciAnswer {
  /** The status of the answer. */
  readonly statusCode: number;
  /** The headers of the answer. */
  readonly headers: Record<string, string | string[] | undefined> | readonly string[];
  /** The body of the answer, which has to be read or ended. */
  readonly body: AsyncIterable<Uint8Array>;
}

interface Options {
  headers?: Headers | null;
  signal?: AbortSignal | null;
}

/** An object, a list of names and values in turn, or anything else that has pairs of them. */
type Headers = Record<string, unknown> | string[] | Iterable<[string, unknown]>;

/**
 * The `request` of undici, for code inside a resilient call or a request. As `resilientFetch` does,
 * it ends with the attempt around it, besides by a `signal` (an `AbortSignal`) in its options; it sends
 * `outboundHeaders()`, of which the options' win; and it throws an answer with a status of 400 or more,
 * whose body it reads as far as it is kept, so that the connection is free.
 *
 * Pools, agents and interceptors are used as ever, by `setGlobalDispatcher` or the option `dispatcher`.
 *
 * @returns a function like the one given, which throws an `HttpResponseError`, the signal's reason, and what
 * undici throws where there is no answer
 * @example
 * import { resilientRequest } from 'nestjs-bulwark';
 * import { request as undiciRequest } from 'undici';
 *
 * export const request = resilientRequest(undiciRequest);
 */
export function resilientRequest<F extends UndiciRequest>(request: F): F {
  const resilient: UndiciRequest = async (url: unknown, options: Options = {}) => {
    const own = options.signal;
    const signal = own == null ? currentSignal() : AbortSignal.any([currentSignal(), own]);
    const headers = withOutbound(options.headers);
    const answer = await request(url, { ...options, headers, signal });
    if (answer.statusCode < 400) return answer;
    throw new HttpResponseError(
      {
        status: answer.statusCode,
        statusText: '',
        headers: headersOf(answer),
        url: String(url),
      },
      await beginningOf(answer.body, signal),
    );
  };
  return resilient as F;
}

/** In the form that they were given in. */
function withOutbound(given: Headers | null | undefined): Headers {
  const all = Object.entries(outboundHeaders());
  const without = (names: string[]) => {
    const known = new Set(names.map((name) => name.toLowerCase()));
    return all.filter(([name]) => !known.has(name));
  };
  if (Array.isArray(given))
    return [...without(given.filter((_, at) => at % 2 === 0)).flat(), ...given];
  if (given != null && Symbol.iterator in given) {
    const pairs = [...(given as Iterable<[string, unknown]>)];
    return new Set([...without(pairs.map(([name]) => name)), ...pairs]); // an array would be a list of names
  }
  return { ...Object.fromEntries(without(Object.keys(given ?? {}))), ...given };
}

function headersOf({ headers: given }: UndiciAnswer): globalThis.Headers {
  const headers = new globalThis.Headers();
  if (Array.isArray(given)) {
    for (let at = 0; at + 1 < given.length; at += 2) headers.append(given[at], given[at + 1]);
    return headers;
  }
  for (const [name, value] of Object.entries(given))
    for (const each of [value ?? []].flat()) headers.append(name, each);
  return headers;
}
