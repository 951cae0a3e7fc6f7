import { addAbortSignal, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { currentSignal, outboundHeaders, ResilienceConfigurationError } from '../index.js';

/** What is needed of an instance of axios, be it of whichever version. */
export interface AxiosClient {
  /** What it does with requests and answers. */
  readonly interceptors: {
    /** What it does with requests. */
    readonly request: {
      /** Adds an interceptor of requests. */
      // biome-ignore lint/suspicious/noExplicitAny: each version of axios has a type of its own
      use(onRequest: (config: any) => any): unknown;
    };
    /** What it does with answers. */
    readonly response: {
      /** Adds an interceptor of failures. */
      use(onAnswer: undefined, onError: (error: unknown) => unknown): unknown;
    };
  };
}

/** The same of a request's configuration, as an interceptor gets it. */
interface Config {
  headers: { has(name: string): boolean; set(name: string, value: string): unknown };
  signal?: GenericSignal | null;
  data?: unknown;
}

/** axios takes whatever looks like an `AbortSignal`. */
interface GenericSignal {
  readonly aborted: boolean;
  addEventListener?: (event: 'abort', listener: () => void) => unknown;
}

/** How a request of ours ends. */
interface Ends {
  readonly scope: AbortSignal;
  readonly own: GenericSignal | null | undefined;
}

/** So much of a streamed answer of a failure is kept. */
const MAX_BODY_BYTES = 64 * 1_024;

const resilient = new WeakSet<object>();
/** By the signal that each request was given, which no other has. */
const endsOf = new WeakMap<object, Ends>();
/** By those that only look like an `AbortSignal`: one listener for all requests. */
const twins = new WeakMap<object, AbortSignal>();
/** Streams that were the body of a request. */
const sent = new WeakSet<object>();

/**
 * Makes requests of axios part of the resilient call, or the request, that they are made in:
 *
 * - they end when the attempt around them does (`currentSignal()`), by its reason: a `TimeoutError`, or
 *   that of a client that has gone. By a `signal` or `cancelToken` of their own they end as ever, by a
 *   `CanceledError`;
 * - they send `outboundHeaders()`; headers of the same name in the request win;
 * - failures are the `AxiosError` that they were, whose status, `Retry-After` and `x-should-retry` are
 *   heeded. With `responseType: 'stream'`, the first 64 KiB of a failed answer are kept for who reads it, so that
 *   its connection is free;
 * - a body that is a stream is sent once: another attempt with the same one would send the rest of it, or
 *   nothing, and fails by a `ResilienceConfigurationError` instead.
 *
 * Installed once for each instance, however often it is called; other interceptors, `baseURL`,
 * `validateStatus` and whatever else the instance is configured with stay as they are.
 *
 * @param client an instance of axios, or the `HttpService` of `@nestjs/axios`
 * @returns `client` itself
 * @throws ResilienceConfigurationError where it is neither
 * @example const partner = resilientAxios(axios.create({ baseURL: 'https://partner.example' }));
 * @example
 * class Billing {
 *   private readonly http: HttpService;
 *   constructor(http: HttpService) {
 *     this.http = resilientAxios(http);
 *   }
 * }
 */
export function resilientAxios<
  T extends
    | AxiosClient
    | {
        /** The client of an `HttpService`. */
        readonly axiosRef: AxiosClient;
      },
>(client: T): T {
  const { axiosRef } = (client ?? {}) as { axiosRef?: AxiosClient };
  const instance = axiosRef ?? (client as AxiosClient);
  if (typeof instance?.interceptors?.request?.use !== 'function')
    throw new ResilienceConfigurationError(
      'resilientAxios()',
      'what it is given has no interceptors; pass an instance of axios, or an HttpService',
    );
  if (resilient.has(instance)) return client;
  resilient.add(instance);
  instance.interceptors.request.use(prepared);
  instance.interceptors.response.use(undefined, failed);
  return client;
}

function prepared(config: Config): Config {
  refuseSentStream(config.data);
  // An interceptor may send a request of ours again, with what it was given the first time.
  const before = endsOf.get(config.signal ?? config);
  for (const [name, value] of Object.entries(outboundHeaders()))
    if (before !== undefined || !config.headers.has(name)) config.headers.set(name, value);
  const ends = { scope: currentSignal(), own: before === undefined ? config.signal : before.own };
  config.signal = either(ends);
  endsOf.set(config.signal, ends);
  return config;
}

function refuseSentStream(body: unknown): void {
  if (!isStream(body)) return;
  if (sent.has(body))
    throw new ResilienceConfigurationError(
      'resilientAxios()',
      'the body is a stream that an earlier attempt has sent already; make it inside the method that is retried',
    );
  sent.add(body);
}

function isStream(body: unknown): body is object {
  const { pipe, getReader } = (body ?? {}) as { pipe?: unknown; getReader?: unknown };
  return typeof pipe === 'function' || typeof getReader === 'function';
}

function either({ scope, own }: Ends): AbortSignal {
  return AbortSignal.any(own == null ? [scope] : [scope, realSignal(own)]);
}

function realSignal(own: GenericSignal): AbortSignal {
  if (own instanceof AbortSignal) return own;
  const known = twins.get(own);
  if (known !== undefined) return known;
  const controller = new AbortController();
  if (own.aborted) controller.abort();
  own.addEventListener?.('abort', () => controller.abort());
  twins.set(own, controller.signal);
  return controller.signal;
}

/** An error of axios; its `isCancel()` goes by the first as well. */
interface Failure {
  readonly __CANCEL__?: boolean;
  readonly config?: Config;
  readonly response?: { data?: unknown } | undefined;
}

async function failed(error: unknown): Promise<never> {
  const { __CANCEL__, config, response = {} } = (error ?? {}) as Failure;
  const scope = endsOf.get(config?.signal ?? endsOf)?.scope;
  if (__CANCEL__) scope?.throwIfAborted();
  const body = response.data;
  if (body instanceof Readable)
    response.data = Readable.from(await beginningOf(body, scope), { objectMode: false });
  if (body instanceof ReadableStream)
    // of the adapter `fetch`
    response.data = new Response(Buffer.concat(await beginningOf(body, scope))).body;
  throw error;
}

/** What matters of a stream, which is closed. Where it breaks off, what came until then. */
async function beginningOf(
  body: Readable | ReadableStream,
  scope: AbortSignal | undefined,
): Promise<Buffer[]> {
  if (scope !== undefined) addAbortSignal(scope, body as Readable);
  const chunks: Buffer[] = [];
  const values = body[Symbol.asyncIterator]();
  let left = MAX_BODY_BYTES;
  try {
    while (left > 0) {
      const { done, value } = await values.next();
      if (done) break;
      const bytes = Buffer.from(value).subarray(0, left);
      chunks.push(bytes);
      left -= bytes.length;
    }
  } catch {
    scope?.throwIfAborted();
  }
  // Not waited for: axios closes a stream of the web only once the next chunk has come.
  values.return?.()?.catch(() => undefined);
  return chunks;
}
