import { Logger } from '@nestjs/common';
import { describeError } from '../index.js';

/** Who sends a request, as a guard has found out: `request` is that of Express or of Fastify. */
// biome-ignore lint/suspicious/noExplicitAny: whoever gives it knows the platform, and what the guard puts there
export type WhoIs = (request: any) => string | undefined | Promise<string | undefined>;

/** Who is not known. */
const UNKNOWN = 'unknown';
/** A name that has not come after this time is not waited for, in ms. */
const WAIT_MS = 1_000;
const MAX_LENGTH = 100;

const logger = new Logger('ResilienceAdmin');

/** The name of who sends a request, which goes into logs. It never rejects, and never waits for long. */
export async function nameOf(whoIs: WhoIs | undefined, request: object): Promise<string> {
  if (whoIs === undefined) return UNKNOWN;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no name after ${WAIT_MS} ms`)), WAIT_MS);
  });
  try {
    const name: unknown = await Promise.race([whoIs(request), late]);
    return (typeof name === 'string' && oneLine(name)) || UNKNOWN;
  } catch (error) {
    const { type, message } = describeError(error);
    logger.warn({ event: 'who_is_failed', message: `whoIs failed: ${type}: ${message}` });
    return UNKNOWN;
  } finally {
    clearTimeout(timer);
  }
}

function oneLine(text: string): string {
  return text
    .replace(/\p{Bidi_Control}+/gu, '')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, MAX_LENGTH);
}
