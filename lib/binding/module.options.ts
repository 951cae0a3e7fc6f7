import type { Observable } from 'rxjs';
import { type ChaosOptions, checkChaosOptions } from '../chaos/chaos.options.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { MetricsRecorder } from '../common/metrics.js';
import { type ModeDefaults, modeRule } from '../common/mode.js';
import { boolean, durationOrZero, oneOf, predicate } from '../common/option-rules.js';
import {
  type Checker,
  checked,
  checkOptions,
  entriesIn,
  isObject,
  type Rule,
  type Rules,
  unshown,
} from '../common/options.js';
import { read } from '../common/read.js';
import type { AlertChannel } from '../criticality/alert-channel.js';
import { checkInboundOptions, type InboundOptions } from '../edge/inbound.options.js';
import type { ErrorContext } from '../errors/error-context.js';
import type { Fleet } from '../fleet/fleet.js';
import {
  checkErrorTrackerOptions,
  type ErrorTrackerOptions,
} from '../observability/error-tracker.options.js';
import type { ResilienceOverrides } from '../overrides/overrides.js';
import type { AnyStage, DefaultsOf, NamesOf } from '../own-stage/define-stage.js';
import { nest } from '../own-stage/nesting.js';
import type { OperationTracer } from '../pipeline/tracer.js';
import { checkServiceOptions, type ServiceOptions } from '../service/service.options.js';
import { checkShutdownOptions, type ShutdownOptions } from '../shutdown/shutdown.options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { AllOf } from '../stage/stage-types.js';
import { type OurTypes, STAGES } from '../stages.js';
import { checkStateOptions, type StateOptions } from '../state/state.options.js';

/** What decorators and services refer to by name, also of stages of your own. */
export type ResilienceFeatureOptions<Stages extends readonly AnyStage[] = []> = NamesOf<Stages> &
  NamedPolicies & {
    /** Bundles, for `@Resilience(name)` and `ResilienceService.execute(name, …)`. */
    services?: Record<string, ServiceOptions<Stages>>;
  };

/** What has names of the library's own stages. */
export interface NamedPolicies extends AllOf<OurTypes, 'names'> {}

/** What fills in where options leave something out. It never switches a stage on. */
export interface ResilienceDefaults extends AllOf<OurTypes, 'defaults'>, ModeDefaults {}

/** What is logged at boot. */
export type BootLog = 'summary' | 'operations' | 'none';

/** What `ResilienceModule.forRoot()` takes. All of it is checked when the application boots. */
export type ResilienceModuleOptions<Stages extends readonly AnyStage[] = []> =
  ResilienceFeatureOptions<Stages> &
    ApplicationOptions & {
      /** Stages of your own, made by `defineStage()`. */
      stages?: Stages;
      /** What decorators, bundles and named options leave out. */
      defaults?: ResilienceDefaults & DefaultsOf<Stages>;
      /**
       * What takes the place of what decorators and the module say, such as
       * `{ operations: { 'PaymentsClient.charge': { timeout: 800 } } }`. What is unknown fails the boot; the operations
       * of modules that are loaded lazily are not known then.
       */
      overrides?: ResilienceOverrides<Stages>;
      /**
       * Overrides that change while the application runs, as those of a config service: each value takes the place of
       * the one before. One that is wrong is refused and told, and the one before stays.
       */
      changes?: Observable<ResilienceOverrides<Stages>>;
    };

/** What is said of the whole application. */
export interface ApplicationOptions {
  /** How the final failures of calls are counted, kept and logged. */
  errorTracker?: ErrorTrackerOptions;
  /** Adds to every error's context, e.g. `requestId` and `userId` from nestjs-cls. Called at the failure. */
  errorContext?: () => Partial<ErrorContext>;
  /** Where metrics go. @default an `InMemoryMetrics`, which is injectable */
  metrics?: MetricsRecorder | MetricsRecorder[];
  /** Surrounds every resilient call, e.g. `OpenTelemetryTracer`. @default nobody traces */
  tracer?: OperationTracer;
  /** Where alerts of critical operations go. @default a `LoggerAlertChannel` */
  alerts?: AlertChannel | AlertChannel[];
  /** At most one alert an operation in this time, in ms. @default 60000 */
  alertIntervalMs?: number;
  /** Whether resilience errors that leave a handler become the transport's own (HTTP 503, 504). @default true */
  mapErrors?: boolean;
  /**
   * Faults that are injected on purpose; `{}` where they are to come at run time, by `Chaos.add()`. An
   * application with it does not start where `NODE_ENV` is `production`, unless it says `allowInProduction`.
   * @default none, at no cost
   */
  chaos?: ChaosOptions;
  /**
   * Where the instances of this service learn of each other: `RedisFleet` of `nestjs-bulwark/redis`. What is
   * shared says so itself, such as `breakers: { payments: { shared: true } }`.
   * @default each instance learns alone
   */
  fleet?: Fleet;
  /**
   * Where what the policies have learnt outlives a restart: `fileState('/var/lib/shop/resilience.json')`, or
   * functions of your own. What is shared by a fleet is left out, which knows more of it.
   * @default nothing is remembered
   */
  state?: StateOptions;
  /**
   * Whether calls are observed from the start for the `ResilienceAdvisor`; else they are from the first time
   * that it is asked for its report. @default false
   */
  advisor?: boolean;
  /** What is believed of a request's headers: its deadline, its criticality. */
  inbound?: InboundOptions;
  /**
   * Whether the variable `RESILIENCE_OVERRIDES` is read at boot: overrides above those of `overrides`, as JSON or
   * by the path of a file with that. @default false
   */
  overridesFromEnv?: boolean;
  /** How long calls go on when the application closes: five seconds at most, unless it says otherwise. */
  shutdown?: ShutdownOptions;
  /**
   * What is logged at boot, beside a warning for each thing to know: one line that sums the operations up,
   * with their details at debug level; the details as lines of their own; or nothing. @default 'summary'
   */
  bootLog?: BootLog;
  /** Whether the injectables are visible to every module. @default true */
  isGlobal?: boolean;
  /** Whether the library's own errors carry stack frames. @default false */
  captureStackTrace?: boolean;
}

/** A class that makes the options, for `forRootAsync({ useClass })` and `useExisting`. */
export interface ResilienceOptionsFactory<Stages extends readonly AnyStage[] = []> {
  /** Makes the module's options, once, when the application boots. */
  createResilienceOptions():
    | ResilienceModuleOptions<Stages>
    | Promise<ResilienceModuleOptions<Stages>>;
}

const recordOf =
  (checker: Checker): Rule =>
  (value, place) => {
    if (!isObject(value)) return 'an object of options by name';
    for (const [name, entry] of entriesIn(place, value)) {
      if (name.trim() === '')
        throw new ResilienceConfigurationError(
          place,
          'has an empty name; allowed: a non-empty string',
        );
      checker(`${place}.${name}`, entry);
    }
    return undefined;
  };

const hasMethods = (value: unknown, names: readonly string[]) =>
  names.every((name) => typeof read(value, name) === 'function');

/** Whoever gives the options of a recorder or a channel instead of itself may have given its keys. */
const withMethods = (names: readonly string[], what: string): Rule =>
  unshown((value) =>
    hasMethods(value, names) ? undefined : `${what} (an object with ${names.join(', ')})`,
  );

const oneOrMore = (names: readonly string[], what: string): Rule =>
  unshown((value) =>
    [value].flat().every((entry) => hasMethods(entry, names))
      ? undefined
      : `${what} (an object with ${names.join(', ')}), or an array of them`,
  );

const defaultsRules = (stages: readonly StageDefinition[]) =>
  Object.fromEntries([
    ['mode', modeRule],
    ...stages.flatMap(({ defaults }) => (defaults ? [[defaults.key, defaults.rule]] : [])),
  ]) as Rules<ResilienceDefaults>;

const featureRules = (stages: readonly StageDefinition[]) => {
  const sections = stages.flatMap((stage) => Object.entries(stage.sections ?? {}));
  const services = (place: string, value: unknown) => checkServiceOptions(place, value, stages);
  return Object.fromEntries(
    [...sections, ['services', services] as const].map(([section, checker]) => [
      section,
      recordOf(checker),
    ]),
  ) as Rules<ResilienceFeatureOptions>;
};

const APPLICATION_RULES: Rules<
  ApplicationOptions & Pick<ResilienceModuleOptions, 'overrides' | 'changes'>
> = {
  errorTracker: checked(checkErrorTrackerOptions),
  errorContext: predicate,
  metrics: oneOrMore(['increment', 'gauge', 'observe'], 'a MetricsRecorder'),
  tracer: withMethods(['trace'], 'an OperationTracer'),
  alerts: oneOrMore(['sendCritical'], 'an AlertChannel'),
  alertIntervalMs: durationOrZero,
  mapErrors: boolean,
  chaos: checked(checkChaosOptions),
  fleet: withMethods(['link'], "a Fleet, such as new RedisFleet({ client, namespace: 'shop' })"),
  state: checked(checkStateOptions),
  advisor: boolean,
  inbound: checked(checkInboundOptions),
  overrides: (value) => (isObject(value) ? undefined : 'an object of overrides'), // checked by what there is
  overridesFromEnv: boolean,
  changes: withMethods(['subscribe'], 'an Observable of overrides'),
  shutdown: checked(checkShutdownOptions),
  bootLog: oneOf('summary', 'operations', 'none'),
  isGlobal: boolean,
  captureStackTrace: boolean,
};

const moduleRules = (stages: readonly StageDefinition[]): Rules<ResilienceModuleOptions> => ({
  ...featureRules(stages),
  defaults: checked((place, value) => checkOptions(place, value, defaultsRules(stages))),
  ...APPLICATION_RULES,
  stages: () => undefined, // checked before, since all others follow from them
});

/** Words that an application's own stages cannot be called by. */
const TAKEN = [
  ...Object.keys(APPLICATION_RULES),
  ...['defaults', 'mode', 'stages', 'services', 'upstream', 'resilience', 'onDiscard', 'name'],
];

/**
 * The stages of an application as they nest, outermost first.
 *
 * @throws ResilienceConfigurationError
 */
export function stagesOf(options: unknown): readonly StageDefinition[] {
  return nest(STAGES, read(options, 'stages'), TAKEN);
}

/** @throws ResilienceConfigurationError */
export function checkModuleOptions(
  options: unknown,
  stages: readonly StageDefinition[],
): ResilienceModuleOptions {
  return checkAll('ResilienceModule.forRoot()', options, moduleRules(stages));
}

/** @throws ResilienceConfigurationError */
export function checkFeatureOptions(
  options: unknown,
  stages: readonly StageDefinition[],
): ResilienceFeatureOptions {
  return checkAll('ResilienceModule.forFeature()', options, featureRules(stages));
}

/** Places inside the options are named from their top: `breakers.payments.timeoutMs`. */
function checkAll<T extends object>(where: string, options: unknown, rules: Rules<T>): T {
  if (!isObject(options)) {
    throw new ResilienceConfigurationError(
      where,
      `is given ${display(options)}; allowed: an options object`,
    );
  }
  return checkOptions<T>('', options, rules);
}
