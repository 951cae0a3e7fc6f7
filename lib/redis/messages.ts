import { VERSION } from './keys.js';

/** No instance writes a longer one. */
const MAX_LENGTH = 16_384;

/** What a message says: of which kind it is, and the values behind that. */
export interface Message {
  readonly kind: string;
  readonly values: readonly unknown[];
}

/** @returns where it is none of this release: what it is instead */
export function readMessage(text: unknown): Message | string {
  if (typeof text !== 'string') return 'a message that is no text';
  if (text.length > MAX_LENGTH) return 'a message that is too long';
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'a message that is no JSON';
  }
  if (!Array.isArray(parsed)) return 'a message of another form';
  const [version, kind, ...values] = parsed as unknown[];
  if (version !== VERSION) return 'a message of another version';
  return typeof kind === 'string' ? { kind, values } : 'a message of no kind';
}
