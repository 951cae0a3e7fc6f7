import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Fastify wraps Node's own request and response; Express hands them out themselves. */
type Wrapped<T> = T | { raw: T };
type MaybeFastify = { hijack?: () => unknown };

/** What a handler gets from its platform by `@Req()`, and by `@Res()`. */
export type PlatformRequest = Wrapped<IncomingMessage>;
export type PlatformReply = Wrapped<ServerResponse> & MaybeFastify;

/**
 * A request and its answer as Node sees them, the same on Express and Fastify. Answering past the
 * adapter keeps interceptors that wrap or compress answers away from what is answered.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;

  constructor(
    /** As the platform has it, with what its guards and parsers have put there. */
    readonly given: PlatformRequest,
    private readonly reply: PlatformReply,
  ) {
    this.request = 'raw' in given ? given.raw : given;
    this.response = 'raw' in reply ? reply.raw : reply;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** By whoever else answers, such as where the deadline of who asks is over. */
  get isAnswered(): boolean {
    return this.response.headersSent;
  }

  /** Under which name, and at which port, it was asked; HTTP/2 has it in a field of its own. */
  get host(): string | undefined {
    return this.header(':authority') ?? this.header('host');
  }

  /** What stands in the URL behind a path, in parts that are not decoded yet; nothing where that is not in it. */
  behind(path: string): string[] {
    const [pathname = ''] = (this.request.url ?? '').split('?', 1);
    const at = pathname.lastIndexOf(`/${path}/`);
    return at === -1 ? [] : pathname.slice(at + path.length + 2).split('/');
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

  /** Answers with a value as JSON, or with none; what is answered already stays as it is. */
  answer(status: number, value?: unknown, headers: OutgoingHttpHeaders = {}): void {
    if (this.isAnswered) return;
    if (value === undefined) {
      this.begin(status, headers).end();
      return;
    }
    const json = JSON.stringify(value);
    const type = { 'content-type': 'application/json; charset=utf-8' };
    this.begin(status, { ...type, ...headers }).end(json);
  }
}
