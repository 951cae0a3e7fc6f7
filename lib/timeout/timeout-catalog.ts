import { display, known, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Mode } from '../common/mode.js';
import { NamedOptions } from '../common/named-options.js';
import { duration } from '../common/option-rules.js';
import { defined, merge } from '../common/options.js';
import type { Layer, Origin } from '../common/origin.js';
import { numberMeant } from '../common/spelling.js';
import type {
  NamedOverrides,
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
  StagedOperation,
} from '../stage/stage-definition.js';
import { ShadowTimeout } from './shadow-timeout.js';
import { type SaidTimes, timesOf } from './timeout.options.js';
import { TimeoutPolicy } from './timeout.policy.js';
import { type TimeoutHierarchy, type TimeoutLayer, validateTimeouts } from './timeout-hierarchy.js';

/** The times of an operation, in ms. */
interface Times {
  readonly attempt: number | undefined;
  readonly total: number | undefined;
  readonly mode: Mode | undefined;
}

/** What a call goes through that may hang, as far as it matters here. */
interface GuardedStages {
  readonly timeout?: unknown;
  readonly totalTimeout?: { readonly mode?: 'shadow' };
  readonly circuitBreaker?: { readonly options?: { readonly mode?: Mode } };
}

/** Of a name that nobody has registered, where that is no mistake: no test should meet them by chance. */
const UNREGISTERED: TimeoutHierarchy = { client: 10_000, gateway: 20_000, service: 30_000 };

/** The timeouts of an application, which hierarchies give names to. */
export class TimeoutCatalog implements StageCatalog<TimeoutPolicy | ShadowTimeout> {
  private readonly hierarchies: NamedOptions<TimeoutHierarchy>;
  private readonly defaultMs: number | undefined;
  private readonly defaultMode: Mode | undefined;

  constructor(private readonly application: StageApplication) {
    this.hierarchies = new NamedOptions<TimeoutHierarchy>(
      'timeout',
      'timeouts',
      undefined,
      application.registersUnknown ? UNREGISTERED : undefined,
    );
    const { timeoutMs, mode } = application.defaults;
    this.defaultMs = timeoutMs as number | undefined;
    this.defaultMode = mode as Mode | undefined;
  }

  add({ timeouts }: NamingOptions): void {
    this.hierarchies.add(timeouts as Record<string, TimeoutHierarchy> | undefined);
  }

  /** @returns nothing where only the total is limited */
  resolve(saidOfIt: Said): TimeoutPolicy | ShadowTimeout | undefined {
    const { place, outer } = saidOfIt;
    const said = this.times(saidOfIt);
    const totalMs = (outer.totalTimeout as { delayMs: number } | undefined)?.delayMs;
    const timeoutMs = said.attempt ?? this.defaultWithin(totalMs);
    if (timeoutMs === undefined) {
      if (totalMs !== undefined) return undefined;
      throw new ResilienceConfigurationError(
        place,
        "is given nothing, and there is no defaults.timeoutMs; allowed: milliseconds, '<hierarchy>.<layer>', or { attemptMs, totalMs }",
      );
    }
    if (totalMs !== undefined && timeoutMs > totalMs)
      throw new ResilienceConfigurationError(
        place,
        `an attempt may take ${timeoutMs} ms, and the call with all of them ${totalMs} ms; allowed: an attempt's time of at most the total`,
      );
    return said.mode === 'shadow'
      ? new ShadowTimeout(timeoutMs, this.application)
      : new TimeoutPolicy(timeoutMs, place);
  }

  layers(said: Said): Layer[] {
    const { attempt } = this.times(said);
    const layers = this.saidLayers(said, 'attempt');
    if (attempt !== undefined || this.defaultMs === undefined) return layers;
    const options = { timeoutMs: this.defaultMs };
    return [{ origin: 'defaults', place: 'defaults.timeoutMs', options }, ...layers];
  }

  /** Who said how long it may take, as it is described. */
  saidLayers({ place, values, origins, overrides }: Said, what: 'attempt' | 'total'): Layer[] {
    const { defaultMode: mode } = this;
    const byDefault: Layer = { origin: 'defaults', place: 'defaults.mode', options: { mode } };
    const layers = values.flatMap((value, at): Layer[] => {
      const { [what]: time, mode } = timesOf(place, value);
      const origin = origins[at] as Origin;
      const said = { origin, place, options: defined({ timeoutMs: time, mode }) };
      if (typeof time !== 'string') return [said];
      const layer = time.slice(time.lastIndexOf('.') + 1);
      const named = overrides('timeouts', time.slice(0, time.lastIndexOf('.')));
      const others = named.filter(({ options }) => layer in options);
      return [said, ...others.map((each) => ({ ...each, options: { timeoutMs: time } }))];
    });
    return [byDefault, ...layers];
  }

  names(): Iterable<string> {
    return this.hierarchies.names();
  }

  doubts(operations: readonly StagedOperation[]): string[] {
    return operations.flatMap(({ operation, stages }) => {
      const { timeout, totalTimeout, circuitBreaker } = stages as GuardedStages;
      if (!(timeout instanceof ShadowTimeout) || circuitBreaker === undefined) return [];
      if (circuitBreaker.options?.mode === 'shadow') return [];
      if (totalTimeout !== undefined && totalTimeout.mode !== 'shadow') return []; // which cuts it
      return `${operation}: its circuit breaker acts, and its timeout is in shadow mode, so a call that hangs is cut by nobody, and no failure to the breaker; let the timeout act, as @Timeout({ attemptMs: ${timeout.delayMs}, mode: 'enforce' }) does, or put the breaker into shadow mode too`;
    });
  }

  /**
   * The times that were said, in ms; the method's before the class's.
   *
   * @throws ResilienceConfigurationError
   */
  times({ place, values, overrides }: Said): Times {
    const { attempt, total, mode } = merge<SaidTimes>(
      { mode: this.defaultMode },
      ...values.map((value) => timesOf(place, value)),
    );
    const inMs = (time: number | string | undefined) =>
      typeof time === 'string' ? this.layerMs(time, place, overrides) : time;
    return { attempt: inMs(attempt), total: inMs(total), mode };
  }

  /** What fills in must not be longer than the call. */
  private defaultWithin(totalMs = Number.POSITIVE_INFINITY): number | undefined {
    return this.defaultMs !== undefined && this.defaultMs < totalMs ? this.defaultMs : undefined;
  }

  /** @param layer `'<hierarchy>.<layer>'` */
  private layerMs(layer: string, place: string, overrides: NamedOverrides): number {
    const dot = layer.lastIndexOf('.');
    const hierarchy = this.hierarchy(layer.slice(0, dot), place, overrides);
    const name = layer.slice(dot + 1) as TimeoutLayer;
    if (hierarchy !== undefined && Object.hasOwn(hierarchy, name)) return hierarchy[name];
    const layers = [...this.hierarchies.names()].flatMap((name) => [
      `${name}.client`,
      `${name}.gateway`,
      `${name}.service`,
    ]);
    const ms = numberMeant(layer);
    const remedy =
      ms === undefined || duration(ms, place) !== undefined
        ? "a layer is '<hierarchy>.client', '.gateway' or '.service' of one in the module's timeouts, and a time of one's own a number of ms"
        : `pass the number ${ms}`;
    throw new ResilienceConfigurationError(
      place,
      `there is no timeout ${display(layer)}; ${known(layers, layer)}; ${remedy}`,
    );
  }

  private hierarchy(
    name: string,
    place: string,
    overrides: NamedOverrides,
  ): TimeoutHierarchy | undefined {
    const given = this.hierarchies.get(name, place);
    const said = overrides('timeouts', name);
    if (given === undefined || said.length === 0) return given;
    const hierarchy = merge(given, ...said.map(({ options }) => options as TimeoutHierarchy));
    validateTimeouts(hierarchy, said.at(-1)?.place);
    return hierarchy;
  }
}
