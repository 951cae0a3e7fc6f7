import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedNow } from './shared-time.js';

/** How long the work of one call takes, in ms, by what is called. */
const WORK_MS: Readonly<Record<string, number>> = { pay: 2, pool: 20, tight: 100 };

export interface Arrival {
  readonly pod: string;
  readonly what: string;
  readonly at: number;
}

/** What the pods depend on: `GET /<what>` with the pod's name in `x-pod`. */
export class Upstream {
  /** Whoever is among these is answered by 500 to `pay`. */
  readonly sick = new Set<string>();
  readonly arrivals: Arrival[] = [];
  private held: Promise<void> | undefined;
  /** Lets go what it has held. */
  release: () => void = () => undefined;
  private readonly running = new Map<string, number>();
  private peaks = new Map<string, number>();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.answer(request, response));
  }

  static async start(): Promise<Upstream> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    const upstream = new Upstream(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Answers to `pay` are held back until they are released. */
  hold(): void {
    this.held = new Promise((resolve) => {
      this.release = () => {
        this.held = undefined;
        resolve();
      };
    });
  }

  /** So many run at this moment. */
  now(what: string): number {
    return this.running.get(what) ?? 0;
  }

  /** So many ran at a time since this was last asked. */
  takePeak(what: string): number {
    const peak = this.peaks.get(what) ?? 0;
    this.peaks.set(what, this.now(what));
    return peak;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const what = request.url?.slice(1) ?? '';
    const pod = String(request.headers['x-pod']);
    this.arrivals.push({ pod, what, at: sharedNow() });
    let isRunning = true;
    const count = (change: number) => {
      const running = this.now(what) + change;
      this.running.set(what, running);
      this.peaks.set(what, Math.max(this.peaks.get(what) ?? 0, running));
    };
    const ended = () => {
      if (isRunning) count(-1);
      isRunning = false;
    };
    count(1);
    response.once('close', ended); // also where the pod was killed
    const isSick = what === 'pay' && this.sick.has(pod);
    await sleep(WORK_MS[what] ?? 0);
    if (what === 'pay') await this.held;
    ended();
    response.writeHead(isSick ? 500 : 200).end();
  }
}
