import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { startFramedServer } from './framed-server.js';
import { DOCS } from './pages.js';

type Document = Record<string, unknown>;

/** Of the package that MongoDB's driver brings. */
const bson = createRequire(join(DOCS, 'package.json'))('bson') as {
  serialize(document: Document): Buffer;
  deserialize(bytes: Buffer): Document;
};

const [OP_REPLY, OP_QUERY, OP_MSG] = [1, 2004, 2013];

/** What `configureFailPoint` of a real server says, as far as it is understood here. */
interface FailPoint {
  mode: 'off' | 'alwaysOn' | { times: number };
  data: {
    failCommands: string[];
    errorCode?: number;
    errorLabels?: string[];
    closeConnection?: boolean;
    blockConnection?: boolean;
    blockTimeMS?: number;
  };
}

/**
 * So much of MongoDB as a driver needs to connect, to find, insert and upsert documents by their `_id`, and to
 * meet the faults that `configureFailPoint` asks for. It speaks the wire protocol over a socket, and keeps
 * documents in memory.
 */
export async function startMongoDb(): Promise<{ url: string; stop(): Promise<void> }> {
  const documents = new Map<string, Map<string, Document>>();
  let failPoint: FailPoint = { mode: 'off', data: { failCommands: [] } };

  function handle(socket: Socket, message: Buffer): void {
    const isQuery = message.readInt32LE(12) === OP_QUERY;
    const command = isQuery ? queried(message) : sections(message);
    const [name = ''] = Object.keys(command);
    const fault = faultOf(name);
    if (fault?.closeConnection) return void socket.destroy();
    const answer = faultAnswer(fault) ?? run(name, command);
    const send = () => socket.write(framed(message.readInt32LE(4), answer, isQuery));
    if (fault?.blockConnection) setTimeout(send, fault.blockTimeMS).unref();
    else send();
  }

  function faultOf(name: string): FailPoint['data'] | undefined {
    const { mode, data } = failPoint;
    if (mode === 'off' || !data.failCommands.includes(name)) return undefined;
    if (mode !== 'alwaysOn') {
      if (mode.times === 0) return undefined;
      mode.times -= 1;
    }
    return data;
  }

  function run(name: string, command: Document): Document {
    const collection = `${command.$db}.${command[name]}`;
    if (!documents.has(collection)) documents.set(collection, new Map());
    const stored = documents.get(collection) as Map<string, Document>;
    switch (name) {
      case 'hello':
      case 'ismaster':
      case 'isMaster':
        return HELLO;
      case 'configureFailPoint':
        failPoint = command as unknown as FailPoint;
        return { ok: 1 };
      case 'find': {
        const { _id } = command.filter as Document;
        const found = _id === undefined ? [...stored.values()] : [stored.get(`${_id}`)];
        const firstBatch = found.filter((one) => one !== undefined);
        return { cursor: { id: 0n, ns: collection, firstBatch }, ok: 1 };
      }
      case 'insert': {
        const given = command.documents as Document[];
        const index = given.findIndex(({ _id }) => stored.has(`${_id}`));
        if (index >= 0) return duplicate(index);
        for (const one of given) stored.set(`${one._id}`, one);
        return { n: given.length, ok: 1 };
      }
      case 'update': {
        const [{ q, u }] = command.updates as [{ q: Document; u: Record<string, Document> }];
        const before = stored.get(`${q._id}`);
        stored.set(`${q._id}`, { ...(before ?? { ...q, ...u.$setOnInsert }), ...u.$set });
        return { n: 1, nModified: before === undefined ? 0 : 1, ok: 1 };
      }
      default:
        return { ok: 1 }; // ping, createIndexes, endSessions
    }
  }

  const server = await startFramedServer((received) => received.readInt32LE(0), handle);
  return { url: `mongodb://127.0.0.1:${server.port}/shop`, stop: server.stop };
}

const HELLO = {
  helloOk: true,
  isWritablePrimary: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 21,
  ok: 1,
};

function faultAnswer({ errorCode, errorLabels }: Partial<FailPoint['data']> = {}) {
  if (errorCode === undefined) return undefined;
  return { ok: 0, code: errorCode, codeName: 'Scripted', errmsg: 'scripted', errorLabels };
}

function duplicate(index: number): Document {
  return {
    n: index,
    ok: 1,
    writeErrors: [{ index, code: 11_000, errmsg: 'E11000 duplicate key' }],
  };
}

/** The command of a driver's very first message, which may be in the old format. */
function queried(message: Buffer): Document {
  const afterName = message.indexOf(0, 20) + 1;
  return documentAt(message, afterName + 8);
}

/** A command in the format of today: one document, and lists of documents beside it. */
function sections(message: Buffer): Document {
  const command: Document = {};
  for (let at = 20; at < message.length; ) {
    const kind = message[at];
    const size = message.readInt32LE(at + 1);
    if (kind === 0) Object.assign(command, documentAt(message, at + 1), command);
    else {
      const nameEnds = message.indexOf(0, at + 5);
      const list: Document[] = [];
      for (let next = nameEnds + 1; next < at + 1 + size; next += message.readInt32LE(next))
        list.push(documentAt(message, next));
      command[message.toString('utf8', at + 5, nameEnds)] = list;
    }
    at += 1 + size;
  }
  return command;
}

function documentAt(message: Buffer, at: number): Document {
  return bson.deserialize(message.subarray(at, at + message.readInt32LE(at)));
}

function framed(responseTo: number, answer: Document, isOld: boolean): Buffer {
  const body = Buffer.from(bson.serialize(answer));
  const before = Buffer.alloc(isOld ? 36 : 21);
  before.writeInt32LE(before.length + body.length, 0);
  before.writeInt32LE(responseTo, 8);
  before.writeInt32LE(isOld ? OP_REPLY : OP_MSG, 12);
  if (isOld) before.writeInt32LE(1, 32); // one document
  return Buffer.concat([before, body]);
}
