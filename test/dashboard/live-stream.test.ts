import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Frames } from '../../lib/dashboard/frames.js';
import { LiveStream } from '../../lib/dashboard/live-stream.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A client's connection whose buffer the test fills and empties. */
class FakeResponse extends EventEmitter {
  readonly written: string[] = [];
  writableNeedDrain = false;
  ended: string | undefined = undefined;
  destroyed = false;

  write(text: string): boolean {
    this.written.push(text);
    return !this.writableNeedDrain;
  }

  get writableLength(): number {
    return this.writableNeedDrain ? 1 : 0;
  }

  end(text: string): void {
    this.ended = text;
    this.emit('close');
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  get last(): string | undefined {
    return this.written.at(-1);
  }
}

function streaming() {
  const state = { changes: undefined as string | undefined, reads: 0 };
  const frames = {
    full: () => '"all"',
    changes: () => {
      state.reads++;
      return state.changes;
    },
  } as unknown as Frames;
  const stream = new LiveStream(frames);
  const join = () => {
    const response = new FakeResponse();
    stream.add(response as unknown as ServerResponse);
    return response;
  };
  const tick = (ticks = 1) => jest.advanceTimersByTime(ticks * 1_000);
  return { stream, state, join, tick };
}

const ALL = 'data: "all"\n\n';

describe('LiveStream', () => {
  it('has a timer while somebody watches, the same for all, and none otherwise', () => {
    const { stream, state, join, tick } = streaming();
    expect(jest.getTimerCount()).toBe(0);
    const clients = [join(), join(), join()];
    expect(jest.getTimerCount()).toBe(1);
    tick(2);
    expect(state.reads).toBe(2);
    for (const client of clients) client.destroy();
    expect([jest.getTimerCount(), stream.size]).toEqual([0, 0]);
    join();
    expect(jest.getTimerCount()).toBe(1);
  });

  it('sends everything to who comes, and changes to who is there', () => {
    const { state, join, tick } = streaming();
    const first = join();
    state.changes = '"new"';
    tick();
    const second = join();
    expect([first.last, second.last]).toEqual(['data: "new"\n\n', ALL]);
  });

  it('sends nothing when nothing changes but a sign of life now and then', () => {
    const { join, tick } = streaming();
    const client = join();
    const before = client.written.length;
    tick(14);
    expect(client.written).toHaveLength(before);
    tick();
    expect(client.last).toBe(':\n\n');
  });

  it('sends nothing more to who does not read, and everything once it does again', () => {
    const { state, join, tick } = streaming();
    const [slow, quick] = [join(), join()];
    slow.writableNeedDrain = true;
    const before = slow.written.length;
    state.changes = '"new"';
    tick(20);
    expect(slow.written).toHaveLength(before);
    expect(quick.written.length).toBeGreaterThan(20);
    slow.writableNeedDrain = false;
    tick();
    expect(slow.last).toBe(ALL);
    tick();
    expect(slow.last).toBe('data: "new"\n\n');
  });

  it('drops who has not read for half a minute, and nobody else', () => {
    const { stream, join, tick } = streaming();
    const [dead, quick] = [join(), join()];
    dead.writableNeedDrain = true;
    tick(30);
    expect(dead.destroyed).toBe(false);
    tick();
    expect([dead.destroyed, quick.destroyed, stream.size]).toEqual([true, false, 1]);
  });

  it('makes everybody come again after ten minutes, past the guard', () => {
    const { join, tick } = streaming();
    const client = join();
    tick(600);
    expect(client.destroyed).toBe(false);
    tick();
    expect(client.destroyed).toBe(true);
  });

  it('takes a hundred clients, and none when it has closed', () => {
    const { stream, join } = streaming();
    const clients = Array.from({ length: 100 }, join);
    expect([stream.open, stream.size]).toEqual([true, 100]);
    expect(clients.some(({ destroyed, ended }) => destroyed || ended !== undefined)).toBe(false);
    stream.close();
    expect([stream.open, stream.size, jest.getTimerCount()]).toEqual([false, 0, 0]);
    expect(clients.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('gives the place of the one that has watched for longest to who comes then, and tells it', () => {
    const { stream, join } = streaming();
    const [oldest, ...others] = Array.from({ length: 100 }, join);
    const latest = join();
    expect(oldest?.ended).toBe('event: displaced\ndata:\n\n');
    expect(latest.last).toBe(ALL);
    expect(others.some(({ destroyed, ended }) => destroyed || ended !== undefined)).toBe(false);
    expect(stream.size).toBe(100);
  });

  it('prefers to drop who does not read, and of those who has not read for longest', () => {
    const { state, join, tick } = streaming();
    const clients = Array.from({ length: 100 }, join);
    const [short, long] = [clients[10] as FakeResponse, clients[20] as FakeResponse];
    long.writableNeedDrain = true;
    state.changes = '"new"';
    tick();
    short.writableNeedDrain = true;
    tick();
    join();
    expect([short.destroyed, long.destroyed]).toEqual([false, true]);
    join();
    expect([short.destroyed, clients[0]?.ended]).toEqual([true, undefined]);
  });

  it('holds one frame at most for a real client that never reads, and drops it in the end', async () => {
    jest.useRealTimers();
    const frame = JSON.stringify('x'.repeat(1_000_000));
    const stream = new LiveStream({ full: () => frame, changes: () => frame } as unknown as Frames);
    const server = createServer((_, response) => stream.add(response.writeHead(200))).listen(0);
    const answering = once(server, 'request');
    const socket = connect((server.address() as AddressInfo).port);
    socket.pause().write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [, response] = (await answering) as [unknown, ServerResponse];
    let held = 0;
    for (let ticks = 0; !response.destroyed && ticks < 500; ticks++) {
      stream.tick();
      held = Math.max(held, response.writableLength);
      await turn();
    }
    expect(held).toBeGreaterThan(0); // the socket's own buffers are full …
    expect(held).toBeLessThan(2.1 * frame.length); // … and ours has a frame, and perhaps the one before
    expect([response.destroyed, stream.size]).toEqual([true, 0]);
    socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
});
