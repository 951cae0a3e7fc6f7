import type { PipelineObserver } from '../pipeline/stages.js';
import type { ResilienceModuleOptions } from './module.options.js';
import type { ResilienceRuntime } from './runtime.js';

/** By which a module of an application provides its bench. */
export const BENCH = Symbol.for('nestjs-bulwark:bench');

/**
 * What a test puts around an application, to look into it and to take it by the hand. In an application on a bench,
 * a name that nobody has registered is one with defaults.
 */
export interface Bench {
  /** What the application goes by, in the place of what it was given. */
  optionsOf(given: ResilienceModuleOptions): ResilienceModuleOptions;
  /** Who is told of an operation's calls, in the place of who would be. */
  observerOf(operation: string, observer: PipelineObserver): PipelineObserver;
  /** The application is set up, and no call was made yet. */
  begin(runtime: ResilienceRuntime): void;
}
