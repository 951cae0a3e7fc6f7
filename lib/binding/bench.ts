import type { TestSetup } from './configuration.js';
import type { ResilienceRuntime } from './runtime.js';

/** By which a module of an application provides its bench. */
export const BENCH = Symbol.for('nestjs-bulwark:bench');

/**
 * What a test puts around an application, to look into it and to take it by the hand. In an application on a bench,
 * a name that nobody has registered is one with defaults.
 */
export interface Bench extends TestSetup {
  /** The application is set up, and no call was made yet. */
  begin(runtime: ResilienceRuntime): void;
}
