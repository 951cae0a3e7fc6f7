import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Fastify wraps Node's own request and response; Express hands them out themselves. */
type Wrapped<T> = T | { raw: T };
type MaybeFastify = { hijack?: () => unknown };

/**
 * A request and its answer as Node sees them, the same on Express and Fastify. Answering past the
 * adapter keeps interceptors that wrap or compress answers away from the page and the stream.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;

  constructor(
    request: Wrapped<IncomingMessage>,
    private readonly reply: Wrapped<ServerResponse> & MaybeFastify,
  ) {
    this.request = 'raw' in request ? request.raw : request;
    this.response = 'raw' in reply ? reply.raw : reply;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Under which name, and at which port, it was asked; HTTP/2 has it in a field of its own. */
  get host(): string | undefined {
    return this.header(':authority') ?? this.header('host');
  }

  query(name: string): string | null {
    const [, search = ''] = (this.request.url ?? '').split('?', 2);
    return new URLSearchParams(search).get(name);
  }

  /** Writes the head of the answer; what follows is the caller's. */
  begin(status: number, headers: OutgoingHttpHeaders = {}): ServerResponse {
    this.reply.hijack?.();
    return this.response.writeHead(status, {
      'cache-control': 'no-store, no-transform', // the latter keeps middleware from compressing the stream
      'x-content-type-options': 'nosniff',
      ...headers,
    });
  }
}
