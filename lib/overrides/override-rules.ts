import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { modeRule } from '../common/mode.js';
import { boolean } from '../common/option-rules.js';
import { check, entriesIn, isObject, merge } from '../common/options.js';
import { checkSheddingOverrides } from '../shedding/shedding.options.js';
import type { StageDefinition, StageOverriding } from '../stage/stage-definition.js';

/** An object as it was said. */
export type SaidObject = Readonly<Record<string, unknown>>;

/** Overrides that have been checked: short forms are written out. */
export type SaidOverrides = SaidObject;

export const SELECTORS = ['upstreams', 'classes', 'operations'] as const;

/** What can be said of everything, and by a selector beside stages. */
const GENERAL = ['enabled', 'mode'] as const;

/** What can be said of shedding, which is no stage of an operation but that of the whole server. */
const SHEDDING: StageOverriding = { check: checkSheddingOverrides, merge };

/** What overrides call a stage: two that one decorator says are one. */
export function overrideKeyOf({ name, saidBy }: StageDefinition): string {
  return saidBy ?? name;
}

/** What can be overridden in an application, by its stages. */
export class OverrideRules {
  /** By what overrides call it; nothing of a stage that can only be switched. */
  private readonly stages = new Map<string, StageOverriding | undefined>();
  /** By the module's option. */
  private readonly sections = new Map<string, StageOverriding>();

  constructor(stages: readonly StageDefinition[]) {
    for (const stage of stages) {
      const { overriding, isSwitch = true, sections = {} } = stage;
      if (isSwitch && stage.saidBy === undefined) this.stages.set(stage.name, overriding);
      for (const section of Object.keys(sections)) {
        const ofSection = overriding?.sections?.[section] ?? overriding;
        if (ofSection !== undefined) this.sections.set(section, ofSection);
      }
    }
  }

  /**
   * Checks what was said by itself; what it is said of is not looked at.
   *
   * @throws ResilienceConfigurationError
   */
  check(place: string, given: unknown): SaidOverrides {
    const allowed = [...GENERAL, 'all', ...SELECTORS, ...this.sections.keys(), 'inbound'];
    return eachOf(place, given, allowed, (at, key, value) => {
      if (isGeneral(key)) return checkGeneral(at, key, value);
      if (key === 'all') return this.checkSelector(at, value);
      if (key === 'inbound') return this.checkInbound(at, value);
      return byName(at, value, (entry, named) =>
        isSelector(key) ? this.checkSelector(entry, named) : this.checkNamed(entry, key, named),
      );
    });
  }

  /** Later ones win, option by option; `null` takes back what was said before. */
  merge(before: SaidOverrides, said: SaidOverrides): SaidOverrides {
    return mergeEach(before, said, (key, below, above) => {
      if (isGeneral(key)) return above;
      if (key === 'all') return this.mergeSelector(below as SaidObject, above as SaidObject);
      return mergeEach((below ?? {}) as SaidObject, above as SaidObject, (_name, one, other) =>
        isSelector(key)
          ? this.mergeSelector(one as SaidObject, other as SaidObject)
          : mergeOptions(
              key === 'inbound' ? SHEDDING : this.sections.get(key),
              one as SaidObject,
              other as SaidObject,
            ),
      );
    });
  }

  private checkSelector(place: string, given: unknown): unknown {
    if (given === null) return null;
    return eachOf(place, given, [...GENERAL, ...this.stages.keys()], (at, key, value) => {
      if (isGeneral(key)) return checkGeneral(at, key, value);
      return value === null ? null : this.checkStage(at, this.stages.get(key), value);
    });
  }

  private checkInbound(place: string, given: unknown): unknown {
    if (given === null) return null;
    return eachOf(place, given, ['shedding'], (at, _key, value) =>
      value === null ? null : this.checkStage(at, SHEDDING, value),
    );
  }

  private checkStage(
    place: string,
    overriding: StageOverriding | undefined,
    value: unknown,
  ): SaidObject {
    if (overriding !== undefined && !isObject(value)) return { ...overriding.check(place, value) };
    if (!isObject(value))
      throw new ResilienceConfigurationError(
        place,
        `is ${display(value)}; allowed: { enabled: true }, { enabled: false }, or null`,
      );
    const { enabled, ...options } = value;
    if (enabled !== undefined) checkGeneral(`${place}.enabled`, 'enabled', enabled);
    const said = enabled === undefined ? {} : { enabled };
    if (overriding === undefined) {
      eachOf(place, options, ['enabled'], () => undefined);
      return said;
    }
    try {
      return { ...said, ...checkPart(overriding, place, options) };
    } catch (error) {
      throw error instanceof ResilienceConfigurationError
        ? error.alsoKnowing(place, ['enabled'])
        : error;
    }
  }

  private checkNamed(place: string, section: string, value: unknown): unknown {
    const overriding = this.sections.get(section) as StageOverriding;
    if (value === null) return null;
    return isObject(value)
      ? checkPart(overriding, place, value)
      : { ...overriding.check(place, value) };
  }

  private mergeSelector(before: SaidObject | undefined, said: SaidObject): SaidObject {
    return mergeEach(before ?? {}, said, (key, below, above) =>
      isGeneral(key)
        ? above
        : mergeOptions(this.stages.get(key), below as SaidObject, above as SaidObject),
    );
  }
}

/** Each option that is there may also be taken back. */
function checkPart({ check }: StageOverriding, place: string, options: SaidObject): SaidObject {
  const entries = entriesIn(place, options);
  const left = Object.fromEntries(
    entries.map(([option, value]) => [option, value === null ? undefined : value]),
  );
  const takenBack = Object.fromEntries(entries.filter(([, value]) => value === null));
  return { ...check(place, left), ...takenBack };
}

function mergeOptions(
  overriding: StageOverriding | undefined,
  before: SaidObject = {},
  said: SaidObject,
): SaidObject {
  const merged: Record<string, unknown> = {
    ...(overriding?.merge(before, withoutNull(said)) ?? { ...before, ...withoutNull(said) }),
  };
  for (const [option, value] of Object.entries(said)) if (value === null) delete merged[option];
  return merged;
}

function mergeEach(
  before: SaidObject,
  said: SaidObject,
  merge: (key: string, below: unknown, above: unknown) => unknown,
): SaidObject {
  const merged: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(said)) {
    const above = value === null ? undefined : merge(key, before[key], value);
    if (above === undefined || (isObject(above) && Object.keys(above).length === 0))
      delete merged[key];
    else merged[key] = above;
  }
  return merged;
}

/** Whether nothing is said but that what was said before is taken back. */
export function takesBack(said: unknown): boolean {
  if (said === null) return true;
  const values = isObject(said) ? Object.values(said) : [];
  return values.length > 0 && values.every(takesBack);
}

export function withoutNull(said: SaidObject): SaidObject {
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null));
}

/** @throws ResilienceConfigurationError where it is no object, or has what is not allowed */
function eachOf(
  place: string,
  given: unknown,
  allowed: readonly string[],
  checkEach: (place: string, key: string, value: unknown) => unknown,
): SaidObject {
  if (!isObject(given))
    throw new ResilienceConfigurationError(
      place,
      `is ${display(given)}; allowed: an object with ${allowed.join(', ')}`,
    );
  const checked: Record<string, unknown> = {};
  for (const [key, value] of entriesIn(place, given)) {
    const at = `${place}.${key}`;
    if (!allowed.includes(key)) throw ResilienceConfigurationError.unknownOption(at, key, allowed);
    if (value !== undefined) checked[key] = checkEach(at, key, value);
  }
  return checked;
}

function byName(
  place: string,
  given: unknown,
  checkEach: (place: string, value: unknown) => unknown,
): SaidObject | null {
  if (given === null) return null;
  if (!isObject(given))
    throw new ResilienceConfigurationError(
      place,
      `is ${display(given)}; allowed: an object of overrides by name`,
    );
  return Object.fromEntries(
    entriesIn(place, given).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, checkEach(`${place}.${name}`, value)]],
    ),
  );
}

function checkGeneral(place: string, key: 'enabled' | 'mode', value: unknown): unknown {
  if (value !== null) check(place, value, key === 'enabled' ? boolean : modeRule);
  return value;
}

function isGeneral(key: string): key is 'enabled' | 'mode' {
  return (GENERAL as readonly string[]).includes(key);
}

function isSelector(key: string): boolean {
  return (SELECTORS as readonly string[]).includes(key);
}
