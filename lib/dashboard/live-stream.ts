import type { ServerResponse } from 'node:http';
import type { Frames } from './frames.js';

const TICK_MS = 1_000;
/** A sign of life when nothing changes, so that proxies keep the connection. */
const QUIET_TICKS = 15;
/** So long a client may leave what it was sent unread before it is dropped. */
const STUCK_TICKS = 30;
/** Then it has to come again, past the guard: who may no longer look loses the stream. */
const MAX_AGE_TICKS = 600;
const MAX_CLIENTS = 100;

/** What is known of somebody who watches. */
interface Client {
  readonly response: ServerResponse;
  age: number;
  /** For how many ticks it has not taken what it was sent. */
  stuck: number;
  /** Whether it missed a frame, and needs all of the state. */
  stale: boolean;
}

/**
 * Sends frames to everybody who watches, by Server-Sent Events: one timer for all of them, and none
 * while nobody does. A client that does not read is sent nothing more, so that nothing piles up. When
 * too many watch, who comes takes the place of one who does not read, or has watched for longest: so
 * nobody can keep everybody else out.
 */
export class LiveStream {
  private readonly clients = new Set<Client>();
  private timer: NodeJS.Timeout | undefined = undefined;
  private quiet = 0;
  private closed = false;

  constructor(private readonly frames: Frames) {}

  /** How many watch. */
  get size(): number {
    return this.clients.size;
  }

  /** Whether it takes clients: until the application goes down. */
  get open(): boolean {
    return !this.closed;
  }

  /** Takes over a response whose head has been written. */
  add(response: ServerResponse): void {
    if (this.clients.size >= MAX_CLIENTS) this.makeRoom();
    const client: Client = { response, age: 0, stuck: 0, stale: false };
    this.clients.add(client);
    response.on('close', () => this.remove(client));
    response.on('error', () => this.remove(client));
    response.write('retry: 2000\n\n');
    this.send(client, message(this.frames.full()));
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  /** Sends now what would be sent with the next tick. */
  tick(): void {
    if (this.clients.size === 0) return;
    const changes = this.frames.changes();
    this.quiet = changes === undefined ? this.quiet + 1 : 0;
    const isSign = this.quiet > 0 && this.quiet % QUIET_TICKS === 0;
    const news = changes === undefined ? isSign && ':\n\n' : message(changes);
    let full: string | undefined;
    for (const client of this.clients) {
      if (this.isOver(client)) this.drop(client);
      else if (client.response.writableNeedDrain) {
        client.stuck++;
        client.stale = true;
      } else if (client.stale) {
        full ??= message(this.frames.full());
        client.stale = false;
        this.send(client, full);
      } else if (news) this.send(client, news);
    }
  }

  /** Lets everybody go at once: the server waits for the connections that are still open. */
  close(): void {
    this.closed = true;
    for (const client of this.clients) this.drop(client);
  }

  private makeRoom(): void {
    const oldestFirst = [...this.clients];
    const stalled = oldestFirst.filter(({ response }) => response.writableLength > 0);
    const [longest] = stalled.sort((a, b) => b.stuck - a.stuck);
    if (longest !== undefined) this.drop(longest);
    else if (oldestFirst[0] !== undefined) this.displace(oldestFirst[0]);
  }

  /** It shall not come again by itself, and displace another one. */
  private displace(client: Client): void {
    this.remove(client);
    client.response.end('event: displaced\ndata:\n\n');
  }

  private send(client: Client, text: string): void {
    client.stuck = 0;
    client.response.write(text);
  }

  private isOver(client: Client): boolean {
    return ++client.age > MAX_AGE_TICKS || client.stuck >= STUCK_TICKS;
  }

  private drop(client: Client): void {
    this.remove(client);
    client.response.destroy();
  }

  private remove(client: Client): void {
    this.clients.delete(client);
    if (this.clients.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

function message(frame: string): string {
  return `data: ${frame}\n\n`;
}
