import type { IncomingMessage } from 'node:http';
import {
  BadRequestException,
  PayloadTooLargeException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import type { Exchange } from './exchange.js';

/** In bytes. */
const MAX_LENGTH = 65_536;

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
  if (typeof read === 'string' || Buffer.isBuffer(read)) return parse(String(read));
  if (JSON.stringify(read).length > MAX_LENGTH) throw tooLarge(); // in chunks, of which no header tells
  return read;
}

async function readAll(request: IncomingMessage): Promise<string> {
  if (request.readableEnded) return '';
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_LENGTH) throw tooLarge();
    chunks.push(chunk);
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
