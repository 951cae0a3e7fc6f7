import { StreamableFile } from '@nestjs/common';

interface NodeStream {
  on(event: string, listener: () => void): unknown;
  once(event: string, listener: () => void): unknown;
  pipe: unknown;
  destroy(): unknown;
}

interface WebStream {
  readonly locked: boolean;
  getReader: unknown;
  cancel(): Promise<unknown>;
}

/** What is still read after the call that gave it has answered. */
export type OpenStream = NodeStream | WebStream | AsyncIterable<unknown>;

/**
 * The stream that an answer is, or that it holds: the body of a `Response` or of what another client of
 * HTTP answers (`body`, `data`), or what a `StreamableFile` sends. What cannot be read holds none.
 */
export function openStreamOf(answer: unknown): OpenStream | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  try {
    if (isOpenStream(answer)) return answer;
    if (answer instanceof StreamableFile) return answer.getStream();
    const { body, data } = answer as Record<string, unknown>;
    return [body, data].find(isOpenStream);
  } catch {
    return undefined;
  }
}

/** Frees what a stream reads from, as nobody will read it. */
function closeStream(stream: OpenStream): void {
  try {
    if (isNodeStream(stream)) {
      stream.on('error', ignore); // nobody else listens
      stream.destroy();
    } else if (isWebStream(stream)) {
      if (!stream.locked) stream.cancel().catch(ignore); // else somebody reads it after all
    } else {
      const end = (stream as Partial<AsyncIterator<unknown>>).return?.();
      void Promise.resolve(end).catch(ignore);
    }
  } catch {} // what it throws goes to nobody
}

/** The same for what an answer holds. */
export function closeStreamOf(answer: unknown): void {
  const stream = openStreamOf(answer);
  if (stream !== undefined) closeStream(stream);
}

export function isNodeStream(value: object): value is NodeStream {
  const { on, pipe, destroy } = value as Partial<NodeStream>;
  return [on, pipe, destroy].every((method) => typeof method === 'function');
}

function isWebStream(value: object): value is WebStream {
  return typeof (value as Partial<WebStream>).getReader === 'function';
}

function isOpenStream(value: unknown): value is OpenStream {
  if (typeof value !== 'object' || value === null) return false;
  if ('setKeepAlive' in value) return false; // a socket is a connection, which may serve others too
  return isNodeStream(value) || isWebStream(value) || Symbol.asyncIterator in value;
}

function ignore(): void {}
