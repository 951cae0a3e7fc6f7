import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { ANSWERING, type Fault } from './fault.js';

export interface UpstreamRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** A small HTTP service on a real socket whose health is switched while it runs. */
export class FlakyUpstream {
  private readonly server = createServer((request, response) => {
    this.serve(request, response).catch(() => response.destroy()); // the caller went away
  });
  private port = 0;
  private current: Fault = 'none';
  private received = 0;
  private receivedBroken = 0;

  private constructor(private readonly work: (request: UpstreamRequest) => unknown) {}

  static async start(work: (request: UpstreamRequest) => unknown): Promise<FlakyUpstream> {
    const upstream = new FlakyUpstream(work);
    await upstream.listen();
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get fault(): Fault {
    return this.current;
  }

  /** The calls that reached it, whatever became of them. */
  get calls(): number {
    return this.received;
  }

  /** Those of them that came while a fault was on. */
  get callsWhileBroken(): number {
    return this.receivedBroken;
  }

  /** Its calls are counted from now on. */
  countAnew(): void {
    this.received = 0;
    this.receivedBroken = 0;
  }

  async setFault(fault: Fault): Promise<void> {
    this.current = fault;
    if (fault === 'refuse') await this.close();
    else if (!this.server.listening) await this.listen();
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  /** The first time on any free port, afterwards on the same one: its callers know the address. */
  private async listen(): Promise<void> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = this.current;
    this.received += 1;
    if (fault !== 'none') this.receivedBroken += 1;
    const body = request.method === 'POST' ? await json(request) : undefined;
    const work = () => this.work({ path: request.url ?? '/', headers: request.headers, body });
    await ANSWERING[fault](response, work);
  }
}
