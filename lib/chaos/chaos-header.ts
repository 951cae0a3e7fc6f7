import { display } from '../common/configuration.error.js';
import type { ChaosRule } from './chaos-rule.js';

const MAX_LENGTH = 1_000;
const MAX_ENTRIES = 10;
/** The longest delay that a request can ask for, in ms. */
const MAX_LATENCY_MS = 60_000;

/** `PaymentsClient.*=latency:200` */
const ENTRY = /^([\w$.*:/ -]{1,200})=(error|hang|latency:(\d{1,5}))$/;

/** What a header asks for, and what is wrong in it, in words. */
export interface ParsedHeader {
  readonly rules: readonly ChaosRule[];
  readonly ignored: readonly string[];
}

/**
 * Reads the value of the header: entries of `operations=effect`, separated by commas. Operations are a name
 * in which `*` stands for anything; an effect is `error`, `hang` or `latency:<ms>`, for all attempts. At most
 * 10 entries in 1,000 characters, and 60 seconds; what is wrong is left out.
 */
export function parseChaosHeader(value: string): ParsedHeader {
  if (value.length > MAX_LENGTH)
    return { rules: [], ignored: [`its value has more than ${MAX_LENGTH} characters`] };
  const entries = value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const rules: ChaosRule[] = [];
  const ignored: string[] = [];
  for (const entry of entries.slice(0, MAX_ENTRIES)) {
    const rule = ruleOf(entry);
    if (rule === undefined)
      ignored.push(
        `${display(entry)} is no operations=error, =hang or =latency:<ms, at most ${MAX_LATENCY_MS}>`,
      );
    else rules.push(rule);
  }
  if (entries.length > MAX_ENTRIES) ignored.push(`it has more than ${MAX_ENTRIES} entries`);
  return { rules, ignored };
}

function ruleOf(entry: string): ChaosRule | undefined {
  const [, operations = '', effect, ms] = ENTRY.exec(entry) ?? [];
  if (effect === 'error') return { operations, error: true };
  if (effect === 'hang') return { operations, hang: true };
  const latencyMs = Number(ms);
  return latencyMs > 0 && latencyMs <= MAX_LATENCY_MS ? { operations, latencyMs } : undefined;
}
