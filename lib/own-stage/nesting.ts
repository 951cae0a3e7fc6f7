import { display, known, ResilienceConfigurationError } from '../common/configuration.error.js';
import { read } from '../common/read.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { AnyStage } from './define-stage.js';

const NAME = /^[a-z][a-zA-Z\d]*$/;

/**
 * The stages of an application as they nest: the library's, and its own at their places.
 *
 * @param own what `stages` of the module's options say
 * @param taken words that a stage, or the option for its names, cannot be called by
 * @throws ResilienceConfigurationError
 */
export function nest(
  ours: readonly StageDefinition[],
  own: unknown,
  taken: readonly string[],
): readonly StageDefinition[] {
  if (own === undefined) return ours;
  const nested = [...ours];
  const words = new Set([...taken, ...ours.flatMap(wordsOf)]);
  for (const [index, definition] of definitionsIn(own).entries()) {
    const place = `stages[${index}]`;
    const { name, inside } = definition;
    if (!NAME.test(name))
      throw new ResilienceConfigurationError(
        `${place}.name`,
        `is ${display(name)}; allowed: a word in letters and digits, beginning with a small letter`,
      );
    for (const word of wordsOf(definition)) {
      if (words.has(word))
        throw new ResilienceConfigurationError(
          `${place} (${name})`,
          `is called ${word}, which is taken; allowed: a name, and one for the module's option, that nothing else has`,
        );
      words.add(word);
    }
    const at = inside === undefined ? nested.length : placeInside(nested, place, inside);
    nested.splice(at, 0, definition);
  }
  return nested;
}

function definitionsIn(own: unknown): StageDefinition[] {
  const stages = Array.isArray(own) ? (own as readonly unknown[]) : [own];
  return stages.map((stage, index) => {
    const definition = read(stage, 'definition') as AnyStage['definition'] | undefined;
    if (Array.isArray(own) && definition !== undefined) return definition;
    throw new ResilienceConfigurationError(
      Array.isArray(own) ? `stages[${index}]` : 'stages',
      `is ${display(stage)}; allowed: an array of what defineStage() makes`,
    );
  });
}

/** Where the innermost stages before it stand right inside the same one, it follows them. */
function placeInside(nested: readonly StageDefinition[], place: string, outer: string): number {
  const around = nested.filter(
    (stage, at) => stage.place === 'attempt' || nested[at + 1]?.place === 'attempt',
  );
  if (!around.some(({ name }) => name === outer))
    throw new ResilienceConfigurationError(
      `${place}.inside`,
      `is ${display(outer)}, which no attempt is inside of; ${known(
        around.map(({ name }) => name),
        outer,
      )}`,
    );
  let at = nested.findIndex(({ name }) => name === outer) + 1;
  while (nested[at]?.inside === outer) at++;
  return at;
}

/** Settings, bundles and the module's options tell stages apart by these. */
function wordsOf({ name, key = name, sections = {} }: StageDefinition): string[] {
  return [...new Set([name, key, ...Object.keys(sections)])];
}
