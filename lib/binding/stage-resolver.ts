import { isDeepStrictEqual } from 'node:util';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { text } from '../common/option-rules.js';
import { check, defined } from '../common/options.js';
import type { Layer, Origin } from '../common/origin.js';
import type { Settings } from '../dispatch/method-definition.js';
import { overrideKeyOf } from '../overrides/override-rules.js';
import { OverridesInForce, type Target } from '../overrides/overrides-in-force.js';
import type { Stages } from '../pipeline/stages.js';
import { resilienceArgument } from '../service/resilience.options.js';
import type { Said, StageDefinition } from '../stage/stage-definition.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { settingsOf } from './service-settings.js';
import type { PlaceOf } from './setting-places.js';

/** What is said beside stages. */
const LABELS = ['upstream', 'resilience', 'onDiscard'];

/** An operation as its settings describe it. */
export interface ResolvedOperation {
  /** In the order in which they nest. */
  stages: Stages;
  /** Of the bundle that was applied last. */
  service: string | undefined;
  upstream: string | undefined;
  /** Takes answers that nobody waits for any more. */
  onDiscard?: ((answer: unknown) => unknown) | undefined;
}

/** What an operation would be. */
export interface Proposal {
  readonly operation: ResolvedOperation;
  /** It is that from now on. */
  keep(): void;
}

/** What was said together of an operation, stage by stage. */
interface SaidLayer {
  readonly origin: Origin;
  readonly settings: Settings;
}

/** What a stage was resolved by, and what it came to. */
interface Resolved {
  readonly policy: unknown;
  readonly overrides: readonly Layer[];
  readonly sections: readonly unknown[];
  readonly madeWith: readonly unknown[];
}

/** Most stages are made of nothing but what decorators say. */
const NOTHING: readonly never[] = Object.freeze([]);

/**
 * Turns what decorators said into stages: later layers (the method's) override earlier ones (the
 * class's) field by field, `defaults` fill in the rest, and names become the policies they stand for.
 *
 * It is kept with its operation: overrides are layers above those, and where they change, only those stages
 * get another policy of which something else is said. What has a name and a state is the same for ever.
 */
export class StageResolver {
  readonly target: Target;
  private readonly layers: readonly SaidLayer[];
  private service: string | undefined = undefined;
  /** Also of stages that are switched off, for when they are on again. */
  private resolved = new Map<string, Resolved>();

  /**
   * @param target its operation's name is what a policy of its own is called
   * @param placeOf where a stage's settings stand, for messages
   */
  constructor(
    private readonly catalog: PolicyCatalog,
    target: Omit<Target, 'upstream'>,
    private readonly placeOf: PlaceOf,
    layers: readonly Settings[],
  ) {
    this.layers = layers.flatMap((settings): SaidLayer[] => {
      const own: SaidLayer = { origin: 'decorator', settings };
      return 'resilience' in settings ? [...this.bundle(settings.resilience), own] : [own];
    });
    this.checkKnown();
    this.target = { ...target, upstream: this.upstream() };
  }

  /** @throws ResilienceConfigurationError */
  resolve(): ResolvedOperation {
    const { operation, keep } = this.propose(OverridesInForce.NONE);
    keep();
    return operation;
  }

  /**
   * What the operation would be under overrides.
   *
   * @throws ResilienceConfigurationError
   */
  propose(overrides: OverridesInForce): Proposal {
    const policies: Record<string, unknown> = {};
    const resolved = new Map<string, Resolved>();
    for (const stage of this.catalog.stages) {
      const found = this.find(stage, overrides, policies);
      if (found === undefined) continue;
      resolved.set(stage.name, found);
      policies[stage.name] = found.policy;
    }
    const { upstream } = this.target;
    const stages = Object.fromEntries(
      this.catalog.stages.flatMap((stage) =>
        stage.name in policies && this.isOn(stage, overrides)
          ? [[stage.name, policies[stage.name]]]
          : [],
      ),
    );
    // The options that bring it have been checked.
    const onDiscard = this.values('onDiscard').at(-1) as ResolvedOperation['onDiscard'];
    return {
      operation: { stages, service: this.service, upstream, onDiscard },
      keep: () => {
        this.resolved = new Map([...this.resolved, ...resolved]);
      },
    };
  }

  /** Whether something was said of a stage, also where it is switched off; two that one decorator says are one. */
  has(stage: StageDefinition): boolean {
    const key = overrideKeyOf(stage);
    return this.catalog.stages.some((each) => overrideKeyOf(each) === key && this.says(each.name));
  }

  /** The policy of a stage, also where that is switched off. */
  policyOf({ name }: StageDefinition): unknown {
    return this.resolved.get(name)?.policy;
  }

  /** Who said what of a stage, the lowest layer first. */
  layersOf(stage: StageDefinition, overrides: OverridesInForce): readonly Layer[] {
    const said = this.said(stage, overrides, {});
    const layers = this.catalog.of(stage).layers?.(said);
    if (layers !== undefined) return layers;
    const { place, values, origins } = said;
    return values.map((value, at) => ({
      origin: origins[at] as Origin,
      place,
      options: stage.overriding?.check(place, value) ?? {},
    }));
  }

  private isOn(stage: StageDefinition, overrides: OverridesInForce): boolean {
    return stage.isSwitch === false || overrides.isOn(stage, this.target);
  }

  private find(
    stage: StageDefinition,
    overrides: OverridesInForce,
    outer: Readonly<Record<string, unknown>>,
  ): Resolved | undefined {
    const { name, madeWith, sections = {} } = stage;
    const isShared = stage.instances !== undefined;
    const before = this.resolved.get(name);
    if (isShared && before !== undefined) return before;
    const said = isShared ? NOTHING : this.overridesOf(stage, overrides);
    if (said.length === 0 && !this.says(name)) return undefined;
    const isPlain = isShared || overrides.isEmpty;
    const by = {
      overrides: said,
      sections: isPlain ? NOTHING : Object.keys(sections).map((each) => overrides.section(each)),
      madeWith: madeWith === undefined ? NOTHING : madeWith.map((each) => outer[each]),
    };
    if (before !== undefined && isSame(before, by)) return before;
    const policy = this.catalog
      .of(stage)
      .resolve(this.said(stage, overrides, outer, before?.policy));
    return { policy, overrides: by.overrides, sections: by.sections, madeWith: by.madeWith };
  }

  /** Of a stage that an operation does not have, what makes it one that it has. */
  private overridesOf(stage: StageDefinition, overrides: OverridesInForce): readonly Layer[] {
    if (stage.overriding === undefined || overrides.isEmpty) return NOTHING;
    const mayHave =
      this.has(stage) || (stage.overriding.isAddable && overrides.names(stage, this.target));
    return mayHave ? overrides.of(stage, this.target) : NOTHING;
  }

  private said(
    stage: StageDefinition,
    overrides: OverridesInForce,
    outer: Readonly<Record<string, unknown>>,
    previous?: unknown,
  ): Said {
    const { name } = stage;
    const { operation, upstream } = this.target;
    const own = this.layers.filter(({ settings }) => name in settings);
    const above = stage.instances === undefined ? this.overridesOf(stage, overrides) : [];
    return {
      operation,
      upstream,
      place: above.at(-1)?.place ?? this.placeOf(name, stage),
      values: [...own.map(({ settings }) => settings[name]), ...above.map((each) => each.options)],
      origins: [...own, ...above].map(({ origin }) => origin),
      overrides: (section, named) => overrides.named(section, named),
      outer,
      previous,
    };
  }

  /** A decorator can be written where the stage that it is for was forgotten. */
  private checkKnown(): void {
    const { stages } = this.catalog;
    const isKnown = (key: string) =>
      LABELS.includes(key) || stages.some(({ name }) => name === key);
    const unknown = this.layers
      .flatMap(({ settings }) => Object.keys(settings))
      .find((key) => !isKnown(key));
    if (unknown === undefined) return;
    throw new ResilienceConfigurationError(
      this.placeOf(unknown),
      `is of a stage that this application does not have; add it in the root module: ResilienceModule.forRoot({ stages: [${unknown}] })`,
    );
  }

  private upstream(): string | undefined {
    const values = this.values('upstream');
    for (const value of values) check(this.placeOf('upstream'), value, text);
    return values.at(-1) as string | undefined;
  }

  private bundle(argument: unknown): SaidLayer[] {
    const place = this.placeOf('resilience');
    const { service, onDiscard } = resilienceArgument(place, argument);
    const own: SaidLayer = { origin: 'decorator', settings: defined({ onDiscard }) };
    if (service === undefined) return [own];
    this.service = service;
    const { stages } = this.catalog;
    const settings = settingsOf(this.catalog.service(service, place), stages, service);
    return [{ origin: 'module', settings }, own];
  }

  private values(setting: string): unknown[] {
    const values: unknown[] = [];
    for (const { settings } of this.layers) if (setting in settings) values.push(settings[setting]);
    return values;
  }

  private says(setting: string): boolean {
    return this.layers.some(({ settings }) => setting in settings);
  }
}

function isSame(one: Omit<Resolved, 'policy'>, other: Omit<Resolved, 'policy'>): boolean {
  return (
    one.madeWith.every((policy, at) => policy === other.madeWith[at]) &&
    isDeepStrictEqual(one.overrides, other.overrides) &&
    isDeepStrictEqual(one.sections, other.sections)
  );
}
