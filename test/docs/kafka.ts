import type { Socket } from 'node:net';
import { startFramedServer } from './framed-server.js';

const [PRODUCE, METADATA, API_VERSIONS] = [0, 3, 18];
const HOST = '127.0.0.1';

/**
 * So much of a Kafka broker as a producer needs: it says which versions it speaks, that it leads the one partition of every
 * topic, and takes messages, which it forgets. A topic's name says what happens to the first produce requests for it:
 * `orders.error-6.times-2` answers two of them by the error code 6, and `orders.hangs.times-1` does not answer one.
 */
export async function startKafka(): Promise<{ broker: string; stop(): Promise<void> }> {
  const asked = new Map<string, number>();

  function handle(socket: Socket, message: Buffer): void {
    const request = message.subarray(4);
    const [key, version] = [request.readInt16BE(0), request.readInt16BE(2)];
    const body = request.subarray(10 + Math.max(0, request.readInt16BE(8)));
    const answer =
      key === API_VERSIONS ? versions(version) : key === METADATA ? metadata(body) : produced(body);
    if (answer === undefined) return;
    const correlation = request.subarray(4, 8);
    socket.write(Buffer.concat([int32(4 + answer.length), correlation, answer]));
  }

  /** That it leads partition 0 of each topic that is asked for. */
  function metadata(body: Buffer): Buffer {
    const topics: Buffer[] = [];
    for (let at = 4; at < body.length; at += 2 + body.readInt16BE(at))
      topics.push(body.subarray(at, at + 2 + body.readInt16BE(at)));
    const broker = [int32(0), text(HOST), int32(server.port)];
    const leader = [int16(0), int32(0), int32(0), int32(1), int32(0), int32(1), int32(0)];
    const each = topics.flatMap((name) => [int16(0), name, int32(1), ...leader]);
    return Buffer.concat([int32(1), ...broker, int32(topics.length), ...each]);
  }

  /** What becomes of messages for one topic: after acks and a timeout, its name. */
  function produced(body: Buffer): Buffer | undefined {
    const name = body.subarray(10, 12 + body.readInt16BE(10));
    const topic = name.toString('utf8', 2);
    const times = asked.get(topic) ?? 0;
    asked.set(topic, times + 1);
    const isFaulty = times < Number(/times-(\d+)/.exec(topic)?.[1] ?? 0);
    if (isFaulty && topic.includes('.hangs.')) return undefined;
    const code = isFaulty ? Number(/error-(\d+)/.exec(topic)?.[1] ?? 0) : 0;
    const offset = Buffer.alloc(8);
    return Buffer.concat([int32(1), name, int32(1), int32(0), int16(code), offset]);
  }

  const server = await startFramedServer((received) => 4 + received.readInt32BE(0), handle);
  return { broker: `${HOST}:${server.port}`, stop: server.stop };
}

/** Of each kind of request the oldest version. */
function versions(version: number): Buffer {
  const spoken = [PRODUCE, METADATA, API_VERSIONS].map((key) => [int16(key), int16(0), int16(0)]);
  const throttled = version > 0 ? [int32(0)] : [];
  return Buffer.concat([int16(0), int32(spoken.length), ...spoken.flat(), ...throttled]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)]);
