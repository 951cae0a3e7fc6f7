import type { Pipeline } from '../pipeline/pipeline.js';
import type { Blueprint } from './blueprint.js';

/** Who calls an operation: the application's code, a transport, or `ResilienceService`. */
export type OperationKind = 'provider' | 'handler' | 'service';

/** Something that goes through a pipeline. */
export interface Operation {
  readonly kind: OperationKind;
  readonly upstream: string | undefined;
  readonly pipeline: Pipeline;
  readonly blueprint: Blueprint;
}
