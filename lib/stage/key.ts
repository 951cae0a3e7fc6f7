import { createHash } from 'node:crypto';
import type { StageAttempt } from '../attempt/attempt-stage.js';
import { displayAnswer } from '../common/answers.js';
import { displayThrown, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { KeyFunction } from './keyed.options.js';

/** Longer keys stand by a hash: who sends them must fill neither the memory nor the log. */
const MAX_LENGTH = 200;
/** Shorter parts of a text are copies already. */
const MAX_COPIED = 12;
/** In names it stands for all keys. */
export const ALL = '*';
const BREAKS_LINES = /[\p{Cc}\p{Zl}\p{Zp}]/gu;
/** So much of them is still to be read. */
const READABLE = 40;

/**
 * What a key function answers of a call; not checked yet.
 *
 * @throws ResilienceConfigurationError where it throws
 */
export function askKey(
  key: KeyFunction,
  { self, args }: Pick<StageAttempt, 'self' | 'args'>,
  place: string,
): unknown {
  try {
    return key.apply(self, args as unknown[]);
  } catch (error) {
    throw new ResilienceConfigurationError(
      `${place}.key`,
      `threw ${displayThrown(error)}; it has to answer a key for every call`,
      { cause: error },
    );
  }
}

/**
 * As it is kept: a number as text; what is too long, would break lines, or stands for all by a hash.
 *
 * @throws ResilienceConfigurationError where it is no key
 */
export function keyFrom(answer: unknown, place: string): string {
  if (typeof answer === 'string' && answer !== '') return bounded(answer);
  if (typeof answer === 'number' && Number.isFinite(answer)) return String(answer);
  throw new ResilienceConfigurationError(
    `${place}.key`,
    `answered ${displayAnswer(answer)}; allowed: a non-empty string, or a finite number`,
  );
}

function bounded(key: string): string {
  if (key.length <= MAX_LENGTH && key !== ALL && key.search(BREAKS_LINES) === -1)
    return copyOf(key);
  const hash = createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('base64url');
  return `${copyOf(key.slice(0, READABLE).replace(BREAKS_LINES, ' '))}…${hash}`;
}

/** A part of a longer text would keep all of that in memory: what is kept is a copy. */
export function copyOf(text: string): string {
  if (text.length <= MAX_COPIED) return text;
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

/** The name of the instance of a key: `partner[acme]`. */
export function nameOf(name: string, key: string): string {
  return `${name}[${key}]`;
}
