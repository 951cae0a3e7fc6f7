import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';

/** Frees what a streamed answer reads from, where nobody will send it. */
export function freeUnsent(answer: unknown): void {
  const stream = answer instanceof StreamableFile ? answer.getStream() : answer;
  if (!(stream instanceof Readable)) return;
  stream.on('error', () => undefined); // nobody else listens
  stream.destroy();
}
