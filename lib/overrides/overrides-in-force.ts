import { isDeepStrictEqual } from 'node:util';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Layer, Origin } from '../common/origin.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import {
  overrideKeyOf,
  type SaidObject,
  type SaidOverrides,
  withoutNull,
} from './override-rules.js';

/** Overrides that came together. */
export interface OverrideSource {
  readonly origin: Origin;
  /** Where they were said, for messages: `overrides`. */
  readonly place: string;
  readonly said: SaidOverrides;
}

/** An operation, as selectors know it. */
export interface Target {
  readonly operation: string;
  readonly className?: string | undefined;
  readonly upstream?: string | undefined;
}

/** What one selector says. */
interface Selected {
  readonly origin: Origin;
  readonly place: string;
  readonly said: SaidObject;
}

/**
 * All overrides of an application at a moment, the lowest source first; in each of them the least particular
 * selector first. This is the one place that knows the order.
 */
export class OverridesInForce {
  static readonly NONE = new OverridesInForce([]);

  /** Most applications override nothing, and boot faster for it. */
  readonly isEmpty: boolean;

  constructor(readonly sources: readonly OverrideSource[]) {
    this.isEmpty = sources.every(({ said }) => Object.keys(said).length === 0);
  }

  /** What is said of a stage of an operation. */
  of(stage: StageDefinition, target: Target): Layer[] {
    if (this.isEmpty) return [];
    return this.selectedFor(target).flatMap((selected) => layersIn(selected, stage));
  }

  /** Whether options of the stage are said of the operation itself. */
  names(stage: StageDefinition, { operation }: Target): boolean {
    return this.sources.some(({ said }) => {
      const ofOperation = entryOf(entryOf(said, 'operations'), operation);
      return Object.keys(optionsOf(entryOf(ofOperation, overrideKeyOf(stage)))).length > 0;
    });
  }

  /** Whether a stage of an operation is on. What is said of the stage goes before what is said of all. */
  isOn(stage: StageDefinition, target: Target): boolean {
    if (this.isEmpty) return true;
    const switches = this.selectedFor(target).flatMap(({ said }) => [
      said.enabled,
      entryOf(said, overrideKeyOf(stage)).enabled,
    ]);
    return switches.findLast((enabled) => typeof enabled === 'boolean') !== false;
  }

  /**
   * What is said of an instance: of all, of the operations that go through it, and of its name. Where something
   * else is said of one of the operations than of another, what is said of the first reaches all.
   */
  ofInstance(
    stage: StageDefinition,
    section: string,
    name: string,
    users: readonly Target[],
  ): Layer[] {
    return this.sources.flatMap((source) => [
      ...generalIn(source).flatMap((each) => layersIn(each, stage)),
      ...saidOfUsers(stage, users, source).first,
      ...new OverridesInForce([source]).named(section, name),
    ]);
  }

  /** Where something else is said of one of the operations that share an instance than of another. */
  disagreement(
    stage: StageDefinition,
    section: string,
    name: string,
    users: readonly Target[],
  ): ResilienceConfigurationError | undefined {
    for (const source of this.sources) {
      const { first, one, other } = saidOfUsers(stage, users, source);
      if (one === undefined || other === undefined) continue;
      return new ResilienceConfigurationError(
        (first[0] as Layer).place,
        `is of the ${stage.title} ${JSON.stringify(name)}, which ${one.operation} and ${other.operation} share, and not the same for both; allowed: ${section}: { ${JSON.stringify(name)}: … }`,
      );
    }
    return undefined;
  }

  /** What is said of something by its name. */
  named(section: string, name: string): Layer[] {
    return this.sources.flatMap(({ origin, place, said }) => {
      const options = optionsOf(entryOf(entryOf(said, section), name));
      return Object.keys(options).length === 0
        ? []
        : [{ origin, place: `${place}.${section}.${name}`, options }];
    });
  }

  /** What is said of shedding, of the whole server. */
  ofShedding(): { readonly isOn: boolean; readonly layers: Layer[] } {
    const selected = this.sources.flatMap((source) => {
      const { origin, place, said } = source;
      const own = entryOf(entryOf(said, 'inbound'), 'shedding');
      return [...generalIn(source), { origin, place: `${place}.inbound.shedding`, said: own }];
    });
    const layers = selected.flatMap(({ origin, place, said }): Layer[] => {
      const options = place.endsWith('.shedding')
        ? optionsOf(said)
        : optionsOf({ mode: said.mode });
      return Object.values(options).every((value) => value === undefined)
        ? []
        : [{ origin, place, options }];
    });
    const switches = selected.map(({ said }) => said.enabled);
    return { isOn: switches.findLast((on) => typeof on === 'boolean') !== false, layers };
  }

  /** All that is said of what has names in a section, to see whether it is what it was. */
  section(section: string): SaidObject[] {
    return this.sources
      .map(({ said }) => entryOf(said, section))
      .filter((said) => Object.keys(said).length > 0);
  }

  private selectedFor(target: Target): Selected[] {
    return this.sources.flatMap((source) => [
      ...generalIn(source),
      ...particularIn(source, target),
    ]);
  }
}

/** What is said of everything. */
function generalIn({ origin, place, said }: OverrideSource): Selected[] {
  const { enabled, mode } = said;
  return [
    { origin, place, said: { enabled, mode } },
    { origin, place: `${place}.all`, said: entryOf(said, 'all') },
  ];
}

/** What is said of an operation, the most particular last. */
function particularIn({ origin, place, said }: OverrideSource, target: Target): Selected[] {
  const { operation, className, upstream } = target;
  return Object.entries({ upstreams: upstream, classes: className, operations: operation }).flatMap(
    ([selector, name]) =>
      name === undefined
        ? []
        : [
            {
              origin,
              place: `${place}.${selector}.${name}`,
              said: entryOf(entryOf(said, selector), name),
            },
          ],
  );
}

/** What is said of the first of the operations of which something is said, and of whom it is not said so. */
function saidOfUsers(
  stage: StageDefinition,
  users: readonly Target[],
  source: OverrideSource,
): { first: readonly Layer[]; one?: Target | undefined; other?: Target | undefined } {
  const said = users.map((user) =>
    particularIn(source, user).flatMap((each) => layersIn(each, stage)),
  );
  const at = said.findIndex((layers) => layers.length > 0);
  const first = said[at];
  if (first === undefined) return { first: [] };
  const options = (layers: readonly Layer[]) => layers.map((layer) => layer.options);
  const other = said.findIndex((layers) => !isDeepStrictEqual(options(layers), options(first)));
  return { first, one: users[at], other: users[other] };
}

function layersIn({ origin, place, said }: Selected, stage: StageDefinition): Layer[] {
  const key = overrideKeyOf(stage);
  const options = optionsOf(entryOf(said, key));
  const layers: Layer[] = [];
  if (typeof said.mode === 'string' && stage.overriding?.hasMode === true)
    layers.push({ origin, place: `${place}.mode`, options: { mode: said.mode } });
  if (Object.keys(options).length > 0) layers.push({ origin, place: `${place}.${key}`, options });
  return layers;
}

function optionsOf({ enabled: _enabled, ...options }: SaidObject): SaidObject {
  return withoutNull(options);
}

function entryOf(said: SaidObject, key: string): SaidObject {
  return Object.hasOwn(said, key) ? ((said[key] ?? {}) as SaidObject) : {};
}
