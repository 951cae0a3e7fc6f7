import { MASK } from '../common/secret-text.js';
import type { ErrorContext } from '../errors/error-context.js';
import {
  causeOf,
  cut,
  describeError,
  type ErrorDescription,
  MAX_TEXT,
  type ToldError,
} from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';
import { readableCopy } from './readable-copy.js';

export type Metadata = Record<string, unknown>;

/** What users have to add; each has the last word. */
export interface RedactionHooks {
  redact?: ((metadata: Metadata) => Metadata) | undefined;
  redactMessage?: ((message: string) => string) | undefined;
}

/** Keeps secrets out of what is logged, kept and sent. */
export class Redaction {
  private readonly metadataGuard = new Guard('errorTracker.redact');
  private readonly causes = new WeakMap<object, ErrorDescription>();
  private readonly messageGuard = new Guard('errorTracker.redactMessage');

  constructor(private readonly hooks: RedactionHooks = {}) {}

  /** Nothing but what a context has; without metadata where the hook throws. */
  context({ service, operation, userId, requestId, upstream, metadata }: ErrorContext) {
    const context: ErrorContext = { service, operation };
    // Mostly from headers: whoever sends a request decides what is in them.
    if (userId !== undefined) context.userId = readableCopy(userId) as string;
    if (requestId !== undefined) context.requestId = readableCopy(requestId) as string;
    if (upstream !== undefined) context.upstream = upstream;
    const redacted = metadata && this.metadataGuard.run(() => this.metadata(metadata));
    if (redacted !== undefined) context.metadata = redacted;
    return context;
  }

  /** Nothing of the message where the hook throws. */
  describe(error: unknown): ToldError {
    const { type, message } = describeError(error);
    const cause = causeOf(error);
    return {
      type,
      message: this.text(message),
      cause: cause === undefined ? undefined : this.describeCause(cause),
    };
  }

  /** All rejections by an open breaker have the same one. */
  private describeCause(cause: unknown): ErrorDescription {
    const known = typeof cause === 'object' && cause !== null ? this.causes.get(cause) : undefined;
    if (known !== undefined) return known;
    const { type, message } = describeError(cause);
    const deeper = causeOf(cause); // of a fetch that failed, only that says why
    const why = deeper === undefined ? '' : `: ${describeError(deeper).message}`;
    const told = { type, message: this.text(cut(message + why, MAX_TEXT)) };
    if (typeof cause === 'object' && cause !== null) this.causes.set(cause, told);
    return told;
  }

  /** The last word on a text whose secrets have been masked already. */
  text(masked: string): string {
    const { redactMessage } = this.hooks;
    if (redactMessage === undefined) return masked;
    const text: unknown = this.messageGuard.run(() => redactMessage(masked));
    return typeof text === 'string' ? text : MASK;
  }

  private metadata(metadata: Metadata): Metadata {
    const readable = readableCopy(metadata) as Metadata;
    return this.hooks.redact === undefined ? readable : this.hooks.redact(readable);
  }
}
