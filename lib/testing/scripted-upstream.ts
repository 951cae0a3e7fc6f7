import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { matchesWildcard } from '../bench.js';
import { ResilienceConfigurationError } from '../index.js';
import {
  answer,
  checkReply,
  type ReceivedRequest,
  type UpstreamReply,
} from './upstream-answers.js';

/** What answers the requests of a route: one after the other, and the last all that come then. */
interface Script {
  readonly matches: (method: string, path: string) => boolean;
  readonly replies: readonly UpstreamReply[];
  /** So many have been answered by it. */
  used: number;
}

/** A test waits until so many requests have come. */
interface Waiting {
  readonly count: number;
  readonly route: string;
  readonly resolve: () => void;
}

/**
 * Starts an HTTP server on a free port of this host, whose answers and faults a test scripts. Sockets are real; what
 * it waits by is the clock in force.
 *
 * @example
 * const upstream = await scriptedUpstream();
 * upstream.reply('GET /products/1', 503, 'reset', { body: { id: 1 } });
 * await resilientFetch(`${upstream.url}/products/1`);
 */
export async function scriptedUpstream(): Promise<ScriptedUpstream> {
  const upstream = new ScriptedUpstream();
  await upstream.listen();
  return upstream;
}

/** A server that answers by a script. */
export class ScriptedUpstream {
  /** All requests that have come, in order. */
  readonly requests: ReceivedRequest[] = [];
  private readonly scripts = new Map<string, Script>();
  private waiting: Waiting[] = [];
  private readonly server: Server = createServer((request, response) => {
    void this.receive(request, response);
  });

  /** @internal */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(0, '127.0.0.1', resolve);
    });
  }

  /**
   * The address of the server: `http://127.0.0.1:54321`. @throws ResilienceConfigurationError once it is
   * closed
   */
  get url(): string {
    const address = this.server.address() as AddressInfo | null;
    if (address !== null) return `http://127.0.0.1:${address.port}`;
    throw new ResilienceConfigurationError(
      'scriptedUpstream().url',
      'is asked for after close(); allowed: before, or of another scriptedUpstream()',
    );
  }

  /**
   * Says what requests of a route are answered, in the place of what was said before: the first by the first, and
   * all that come after the last by the last. What no route says is answered by 404.
   *
   * @param route method and path, where `*` stands for anything: `GET /products/1`, `POST /orders/*`, `* /health`,
   * or `*` for all. Of several that fit, an exact one goes before others, and the one said later before those before.
   * @throws ResilienceConfigurationError
   */
  reply(route: string, ...replies: UpstreamReply[]): this {
    const matches = matcherOf(route);
    if (replies.length === 0)
      throw new ResilienceConfigurationError(
        `reply(${JSON.stringify(route)})`,
        'is given no answer; allowed: at least one',
      );
    for (const reply of replies) checkReply(route, reply);
    this.scripts.delete(route);
    this.scripts.set(route, { matches, replies, used: 0 });
    return this;
  }

  /** The requests that have come for a route, in order. @param route as of `reply()` */
  requestsTo(route: string): ReceivedRequest[] {
    const matches = matcherOf(route);
    return this.requests.filter(({ method, path }) => matches(method, path));
  }

  /** Waits until so many requests have come. @param route as of `reply()` */
  received(count = 1, route = '*'): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ count, route, resolve });
      this.tellWaiting();
    });
  }

  /** Forgets the requests that have come, and what was said that they are answered. */
  reset(): void {
    this.requests.length = 0;
    this.scripts.clear();
  }

  /** Ends the server with all its connections. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  /** Does the same as `close()`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', headers } = request;
    const { pathname: path, searchParams: query } = urlOf(request.url);
    const received = { method, path, query, headers, body: '', aborted: false };
    const script = this.scriptFor(method, path);
    const reply = script?.replies[Math.min(script.used++, script.replies.length - 1)];
    response.once('close', () => {
      received.aborted = !response.writableFinished && reply !== 'reset' && !isCut(reply);
    });
    try {
      for await (const chunk of request.setEncoding('utf8')) received.body += chunk as string;
    } catch {
      received.aborted = true; // it has come all the same
    }
    this.requests.push(received);
    this.tellWaiting();
    answer(reply ?? this.unknown(method, path), received, request, response);
  }

  private scriptFor(method: string, path: string): Script | undefined {
    const exact = this.scripts.get(`${method} ${path}`);
    return exact ?? [...this.scripts.values()].findLast(({ matches }) => matches(method, path));
  }

  private unknown(method: string, path: string): UpstreamReply {
    const known = [...this.scripts.keys()].join(', ') || 'none';
    return {
      status: 404,
      body: `Nothing is scripted for ${method} ${path}; known routes: ${known}`,
    };
  }

  private tellWaiting(): void {
    this.waiting = this.waiting.filter(({ count, route, resolve }) => {
      if (this.requestsTo(route).length < count) return true;
      resolve();
      return false;
    });
  }
}

/** Two slashes at the beginning of a path, as of a base URL that ends in one, begin no host. */
function urlOf(target = '/'): URL {
  return new URL(target.startsWith('/') ? `http://upstream${target}` : target, 'http://upstream');
}

function isCut(reply: UpstreamReply | undefined): boolean {
  return typeof reply === 'object' && reply.cut === true;
}

/** @throws ResilienceConfigurationError on what is no route */
function matcherOf(route: string): Script['matches'] {
  const [method, path, ...rest] = route === '*' ? ['*', '*'] : route.split(' ');
  const isRoute = rest.length === 0 && (path?.startsWith('/') || path === '*');
  if (!isRoute)
    throw new ResilienceConfigurationError(
      `the route ${JSON.stringify(route)}`,
      "is no method and path; allowed: 'GET /products/1', 'POST /orders/*', '* /health', or '*' for all",
    );
  return (asked, at) => (method === '*' || method === asked) && matchesWildcard(path as string, at);
}
