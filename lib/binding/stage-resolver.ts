import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { check, defined, text } from '../common/options.js';
import { decoratorName, type Settings } from '../dispatch/method-definition.js';
import type { Stages } from '../pipeline/stages.js';
import { resilienceArgument } from '../service/resilience.options.js';
import type { ServiceOptions } from '../service/service.options.js';
import type { OperationTraits } from '../stage/call-keys.js';
import { isInline } from '../stage/named-instances.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { PolicyCatalog } from './policy-catalog.js';

/** What is said beside stages. */
const LABELS = ['upstream', 'resilience', 'onDiscard'];

/** Where settings stand, by the stage that they are for. */
type PlaceOf = (setting: string, stage?: StageDefinition) => string;

/** Where settings stand that decorators said: `PaymentsService.charge @Retry()`. */
export function atDecorators(place: string): PlaceOf {
  return (setting, stage) => `${place} ${decoratorName(stage?.saidBy ?? setting)}`;
}

/** Where settings stand that options say: `services.payments.retry`. */
export function inOptions(place: string): PlaceOf {
  return (setting, stage) =>
    setting === 'resilience' ? place : `${place}.${stage?.key ?? setting}`;
}

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

/**
 * Turns what decorators said into stages: later layers (the method's) override earlier ones (the
 * class's) field by field, `defaults` fill in the rest, and names become the policies they stand for.
 */
export class StageResolver {
  private readonly layers: Settings[];
  private service: string | undefined = undefined;

  /**
   * @param name what a policy of the operation's own is called
   * @param placeOf where a stage's settings stand, for messages
   */
  constructor(
    private readonly catalog: PolicyCatalog,
    private readonly name: string,
    private readonly placeOf: PlaceOf,
    layers: Settings[],
  ) {
    this.layers = layers.flatMap((layer) =>
      'resilience' in layer ? [...this.bundle(layer.resilience), layer] : [layer],
    );
  }

  /** @throws ResilienceConfigurationError */
  resolve(): ResolvedOperation {
    this.checkKnown();
    const upstream = this.upstream();
    const stages: Record<string, unknown> = {};
    for (const stage of this.catalog.stages) {
      const values = this.values(stage.name);
      if (values.length === 0) continue;
      const place = this.placeOf(stage.name, stage);
      const said = { operation: this.name, upstream, place, values, outer: stages };
      stages[stage.name] = this.catalog.of(stage).resolve(said);
    }
    // The options that bring it have been checked.
    const onDiscard = this.values('onDiscard').at(-1) as ResolvedOperation['onDiscard'];
    return { stages, service: this.service, upstream, onDiscard };
  }

  /** A decorator can be written where the stage that it is for was forgotten. */
  private checkKnown(): void {
    const { stages } = this.catalog;
    const isKnown = (key: string) =>
      LABELS.includes(key) || stages.some(({ name }) => name === key);
    const unknown = this.layers.flatMap((layer) => Object.keys(layer)).find((key) => !isKnown(key));
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

  private bundle(argument: unknown): Settings[] {
    const place = this.placeOf('resilience');
    const { service, onDiscard } = resilienceArgument(place, argument);
    const own: Settings = defined({ onDiscard });
    if (service === undefined) return [own];
    this.service = service;
    const { stages } = this.catalog;
    return [settingsOf(this.catalog.service(service, place), stages, service), own];
  }

  private values(setting: string): unknown[] {
    return this.layers.filter((layer) => setting in layer).map((layer) => layer[setting]);
  }
}

/** @throws ResilienceConfigurationError where a stage cannot do for an operation what it should */
export function checkSuited(
  { stages }: Pick<ResolvedOperation, 'stages'>,
  placeOf: PlaceOf,
  catalog: PolicyCatalog,
  traits: OperationTraits,
): void {
  for (const stage of catalog.stages) {
    const policy = stages[stage.name];
    if (policy !== undefined) stage.suits?.(policy, placeOf(stage.name, stage), traits);
  }
}

/** Of functions that bundles and pipelines call, nothing is known. */
export const UNKNOWN: OperationTraits = {
  returns: 'either',
  arguments: 0,
  isRequestScoped: false,
  sendsItself: false,
};

/**
 * A bundle, as the decorators that would say the same.
 *
 * @param name of the bundle, under which what it says inline is shared
 */
export function settingsOf(
  service: ServiceOptions,
  stages: readonly StageDefinition[],
  name?: string,
): Settings {
  const settings: Settings = defined({ ...service });
  for (const stage of stages) {
    const { key = stage.name } = stage;
    const value = settings[key];
    if (value === undefined) continue;
    delete settings[key];
    const isShared = stage.instances?.section !== undefined && isInline(value);
    settings[stage.name] = isShared ? (name ?? value) : value;
  }
  return settings;
}
