import type { ErrorContext } from '../common/error-context.js';
import { causeOf, describeError, type ErrorDescription, type ToldError } from './error-record.js';
import { Guard } from './guard.js';
import { readableCopy } from './readable-copy.js';
import { MASK } from './secret-text.js';

export type Metadata = Record<string, unknown>;

/** What users have to add; each has the last word. */
export interface RedactionHooks {
  redact?: ((metadata: Metadata) => Metadata) | undefined;
  redactMessage?: ((message: string) => string) | undefined;
}

/** Keeps secrets out of what is logged, kept and sent. */
export class Redaction {
  private readonly metadataGuard = new Guard('errorTracker.redact');
  private readonly messageGuard = new Guard('errorTracker.redactMessage');

  constructor(private readonly hooks: RedactionHooks = {}) {}

  /** Nothing but what a context has; without metadata where the hook throws. */
  context({ service, operation, userId, requestId, upstream, metadata }: ErrorContext) {
    const context: ErrorContext = { service, operation };
    if (userId !== undefined) context.userId = userId;
    if (requestId !== undefined) context.requestId = requestId;
    if (upstream !== undefined) context.upstream = upstream;
    const redacted = metadata && this.metadataGuard.run(() => this.metadata(metadata));
    if (redacted !== undefined) context.metadata = redacted;
    return context;
  }

  /** Nothing of the message where the hook throws. */
  describe(error: unknown): ToldError {
    const told: ToldError = this.redacted(describeError(error));
    const cause = causeOf(error);
    if (cause !== undefined) told.cause = this.redacted(describeError(cause));
    return told;
  }

  /** The last word on a text whose secrets have been masked already. */
  text(masked: string): string {
    const { redactMessage } = this.hooks;
    if (redactMessage === undefined) return masked;
    const text: unknown = this.messageGuard.run(() => redactMessage(masked));
    return typeof text === 'string' ? text : MASK;
  }

  private redacted({ type, message }: ErrorDescription): ErrorDescription {
    return { type, message: this.text(message) };
  }

  private metadata(metadata: Metadata): Metadata {
    const readable = readableCopy(metadata) as Metadata;
    return this.hooks.redact === undefined ? readable : this.hooks.redact(readable);
  }
}
