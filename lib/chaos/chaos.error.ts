/** What a method fails by where a rule says `error: true`. It means nothing but that: an unknown failure. */
export class ChaosError extends Error {
  /** The class's name, by which logs show it. */
  override readonly name = 'ChaosError';
  /** Tells the error apart from the library's others. */
  readonly code = 'CHAOS';

  constructor(
    /** The operation that it was injected into. */
    readonly operation: string,
    /** The id of the rule. */
    readonly rule: string,
    cause?: unknown,
  ) {
    super(
      `Injected into ${operation} by the chaos rule "${rule}"`,
      cause === undefined ? undefined : { cause },
    );
  }
}
