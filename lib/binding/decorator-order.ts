import type { AnyMethod } from '../common/class.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import {
  decoratorName,
  type MethodDefinition,
  SaidTwice,
  type Settings,
} from '../dispatch/method-definition.js';
import type { Stages } from '../pipeline/stages.js';
import { methodOf } from './method-traits.js';

/**
 * Of two decorators of one kind on one method or class, which is meant cannot be known.
 *
 * @throws ResilienceConfigurationError
 */
export function checkSaidOnce(place: string, settings: Settings = {}): void {
  for (const [stage, said] of Object.entries(settings)) {
    if (!(said instanceof SaidTwice)) continue;
    const values = said.values.map(display).reverse().join(' and ');
    throw new ResilienceConfigurationError(
      `${place} ${decoratorName(stage)}`,
      `is written ${said.values.length} times here, with ${values}; allowed: once (on a class and again on a method, the method's overrides)`,
    );
  }
}

/**
 * What to say of decorators of others that stand between ours. All of a method's own stages run where
 * the uppermost of ours stands, because they are one pipeline; a class's run where the lowest is.
 */
export function orderWarnings(
  place: string,
  definition: MethodDefinition,
  ofClass: readonly Settings[],
  stages: Stages,
): string[] {
  const ours = Object.keys(stages)
    .filter((stage) => stages[stage] !== undefined)
    .map(decoratorName);
  const warnings = definition.between.map(({ above, below, wrapper }) => {
    const other = nameOf(wrapper, definition.key);
    return (
      `${place}: ${other} stands between ${above} and ${below.join(', ')}, but all of ours run above it: ` +
      `${[...ours, 'the other decorator', 'the method'].join(' -> ')}. ` +
      'What it begins is therefore repeated, abandoned and limited as the method is; write ours together, all above it or all below'
    );
  });
  const outer = methodOf(definition) as AnyMethod;
  const said = saidBy(ofClass);
  if (outer !== definition.dispatcher && said.length > 0) {
    warnings.push(
      `${place}: ${nameOf(outer, definition.key)} stands above what ours have made of the method, so what the class says (${said.join(', ')}) runs below it: ` +
        `${['the other decorator', ...ours, 'the method'].join(' -> ')}. ` +
        'To have that above it, write it on the method, above the other one',
    );
  }
  return warnings;
}

function saidBy(layers: readonly Settings[]): string[] {
  const stages = new Set(layers.flatMap((layer) => Object.keys(layer)));
  return [...stages].map(decoratorName);
}

/** A decorator has no name at run time; what it put in the method's place may have one. */
function nameOf({ name }: AnyMethod, key: PropertyKey): string {
  const says = name !== '' && name !== key && name !== 'value';
  return says ? `another decorator (whose function is called ${name})` : 'another decorator';
}
