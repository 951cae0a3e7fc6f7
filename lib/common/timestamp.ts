import { wallNow } from './clock.js';

let lastMs = Number.NaN;
let lastText = '';

/** The time as ISO 8601. Failures come by the thousand at once: those of a millisecond share the text. */
export function timestamp(): string {
  const ms = wallNow();
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}
