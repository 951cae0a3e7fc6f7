import type { IncomingMessage } from 'node:http';
import {
  BadRequestException,
  PayloadTooLargeException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import type { Exchange } from './exchange.js';

/** In bytes. */
const MAX_LENGTH = 65_536;
/** Nothing that can be said needs more, and what walks through it calls itself for each level. */
const MAX_DEPTH = 50;

/**
 * The JSON that a request brings: as a parser of the application has read it, or read here where there was none.
 *
 * @throws UnsupportedMediaTypeException, PayloadTooLargeException, BadRequestException
 */
export async function bodyOf(exchange: Exchange): Promise<unknown> {
  const [type = ''] = (exchange.header('content-type') ?? '').split(';', 1);
  if (type.trim().toLowerCase() !== 'application/json')
    throw new UnsupportedMediaTypeException('The body is to be of content-type: application/json');
  if (Number(exchange.header('content-length') ?? 0) > MAX_LENGTH) throw tooLarge();
  const { body } = exchange.given as { body?: unknown };
  const read = body === undefined ? await readAll(exchange.request) : body;
  const isText = typeof read === 'string' || Buffer.isBuffer(read);
  const value = isText ? parse(String(read)) : read;
  if (isDeeper(value, MAX_DEPTH)) throw new BadRequestException('The body is nested too deep');
  if (!isText && JSON.stringify(read).length > MAX_LENGTH) throw tooLarge(); // in chunks, of which no header tells
  return value;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}

async function readAll(request: IncomingMessage): Promise<string> {
  if (request.readableEnded) return '';
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    const left = request.iterator({ destroyOnReturn: false }); // the answer goes by the same socket
    for await (const chunk of left as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_LENGTH) throw tooLarge();
      chunks.push(chunk);
    }
  } finally {
    request.resume(); // what is left is read by nobody else
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  if (text.length > MAX_LENGTH) throw tooLarge();
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRequestException('The body is no JSON');
  }
}

function tooLarge(): PayloadTooLargeException {
  return new PayloadTooLargeException(`The body may have ${MAX_LENGTH} bytes`);
}
