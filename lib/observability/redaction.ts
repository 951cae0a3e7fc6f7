import type { ErrorContext } from '../common/error-context.js';
import { Guard } from './guard.js';

export type Metadata = Record<string, unknown>;

const SECRET =
  /passw|passphrase|secret|token|authori[sz]ation|cookie|api[-_]?key|private[-_]?key|credential/i;
const MASK = '[redacted]';
const MAX_DEPTH = 5;

/** Keeps secrets out of what is logged, kept and sent: what has the name of one is masked, at any depth. */
export class Redaction {
  private readonly guard = new Guard('errorTracker.redact');

  /** @param hook what the user has to add */
  constructor(private readonly hook?: (metadata: Metadata) => Metadata) {}

  /** The context with its metadata redacted; without any where the hook throws. */
  apply(context: ErrorContext): ErrorContext {
    const { metadata, ...rest } = context;
    if (metadata === undefined) return context;
    const redacted = this.guard.run(() => {
      const masked = mask(metadata, 0) as Metadata;
      return this.hook === undefined ? masked : this.hook(masked);
    });
    return redacted === undefined ? rest : { ...rest, metadata: redacted };
  }
}

function mask(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) return value.map((entry) => mask(entry, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      SECRET.test(key) ? MASK : mask(entry, depth + 1),
    ]),
  );
}
