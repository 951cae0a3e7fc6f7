import { VERSION } from './keys.js';

/** A longer one is none of an instance. */
const MAX_LENGTH = 16_384;

/** What a message says: of which kind it is, and the values behind that. */
export interface Message {
  readonly kind: string;
  readonly values: readonly unknown[];
}

/** @returns none for one of another release; why, for one that no instance has written */
export function readMessage(text: unknown): Message | string | undefined {
  if (typeof text !== 'string') return 'a message that is no text';
  if (text.length > MAX_LENGTH) return 'a message that is too long';
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'a message that is no JSON';
  }
  if (!Array.isArray(parsed) || typeof parsed[0] !== 'number') return 'a message of another form';
  const [version, kind, ...values] = parsed as unknown[];
  if (version !== VERSION) return undefined;
  return typeof kind === 'string' ? { kind, values } : 'a message of no kind';
}
