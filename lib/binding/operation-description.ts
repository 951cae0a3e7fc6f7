import type { Origins } from '../common/origin.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { DescriptionsOf } from '../stage/stage-types.js';
import type { OurTypes } from '../stages.js';
import type { Operation, OperationKind } from './operation.js';
import type { OptionOrigins } from './option-origins.js';

/** An operation as `ResilienceService.describe()` shows it, with the options in force. */
export interface OperationDescription {
  /** `ClassName.method`, or the name of the bundle or pipeline. */
  operation: string;
  /** A provider's method, a handler that a transport calls, or a programmatic pipeline. */
  kind: OperationKind;
  /** What `@Critical()` says of it; missing where nothing does. */
  critical?: boolean;
  /** The dependency that it calls, by `@Upstream()`; missing where none is named. */
  upstream?: string;
  /** The options in force, and the name of what is shared by one. */
  stages: DescriptionsOf<OurTypes>;
  /**
   * Who said each of these options, stage by stage: the library (`default`), the module's `defaults`, its named
   * options and bundles (`module`), a decorator or the options of a pipeline (`decorator`), overrides at boot
   * (`override`) or at `run time`. Found out when it is asked for.
   */
  readonly origins: Readonly<Record<string, Origins>>;
}

export function describeOperation(
  described: Operation,
  definitions: readonly StageDefinition[],
  optionOrigins: OptionOrigins,
): OperationDescription {
  const { kind, upstream, pipeline } = described;
  const { operation, stages } = pipeline.plan;
  const { critical } = stages;
  const options: Record<string, object> = {};
  for (const { name, describe } of definitions)
    if (describe !== undefined && stages[name] !== undefined)
      options[name] = describe(stages[name]);
  const description: OperationDescription = {
    operation,
    kind,
    stages: options,
    get origins() {
      return optionOrigins.of(described, options);
    },
  };
  if (critical !== undefined) description.critical = critical;
  if (upstream !== undefined) description.upstream = upstream;
  return description;
}

/** One line for the log at boot. */
export function summarize(
  { kind, upstream, pipeline }: Operation,
  definitions: readonly StageDefinition[],
): string {
  const { operation, stages } = pipeline.plan;
  const parts = definitions
    .filter(({ name }) => stages[name] !== undefined)
    .map((definition) => {
      const policy = stages[definition.name];
      const { mode } = { mode: undefined, ...definition.describe?.(policy) };
      return `${definition.summarize(policy)}${mode === 'shadow' ? ' (shadow)' : ''}`;
    });
  if (upstream !== undefined) parts.unshift(`upstream ${upstream}`);
  return `${operation} (${kind}): ${parts.join(', ') || 'observed only'}`;
}
