import { anyFunction, text } from '../common/option-rules.js';
import { checkOptions, type Rules } from '../common/options.js';
import type { AnyStage, ArgumentsOf } from '../own-stage/define-stage.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { AllOf } from '../stage/stage-types.js';
import type { OurTypes } from '../stages.js';
import type { ResilienceOptions } from './resilience.options.js';

/** All that protects the calls to one service, under one name, with stages of your own. */
export type ServiceOptions<Stages extends readonly AnyStage[] = []> = ArgumentsOf<Stages> &
  Protection;

/** What the library's own stages do, and what is said beside them. */
export interface Protection
  extends AllOf<OurTypes, 'service'>,
    Pick<ResilienceOptions, 'onDiscard'> {
  /** The dependency, for errors and metrics. */
  upstream?: string;
}

/** @throws ResilienceConfigurationError */
export function checkServiceOptions(
  place: string,
  options: unknown,
  stages: readonly StageDefinition[],
): ServiceOptions {
  return checkOptions<ServiceOptions>(place, options, rulesOf(stages));
}

/**
 * A pipeline says its name among its options, where a bundle is in `services` under its own.
 *
 * @throws ResilienceConfigurationError
 */
export function checkPipelineOptions(
  place: string,
  options: unknown,
  stages: readonly StageDefinition[],
): ServiceOptions {
  return checkOptions<ServiceOptions & { name?: string }>(place, options, {
    name: text,
    ...rulesOf(stages),
  });
}

function rulesOf(stages: readonly StageDefinition[]): Rules<ServiceOptions> {
  return Object.fromEntries([
    ...stages.map(({ name, key = name, rule }) => [key, rule]),
    ['upstream', text],
    ['onDiscard', anyFunction],
  ]) as Rules<ServiceOptions>;
}
