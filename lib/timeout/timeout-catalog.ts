import { display, known, ResilienceConfigurationError } from '../common/configuration.error.js';
import { NamedOptions } from '../common/named-options.js';
import { check, duration } from '../common/options.js';
import { numberMeant } from '../common/spelling.js';
import type {
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
} from '../stage/stage-definition.js';
import { TimeoutPolicy } from './timeout.policy.js';
import type { TimeoutHierarchy, TimeoutLayer } from './timeout-hierarchy.js';

/** The timeouts of an application, which hierarchies give names to. */
export class TimeoutCatalog implements StageCatalog<TimeoutPolicy> {
  private readonly hierarchies = new NamedOptions<TimeoutHierarchy>('timeout', 'timeouts');
  private readonly defaultMs: number | undefined;

  constructor({ defaults }: StageApplication) {
    this.defaultMs = defaults.timeoutMs as number | undefined;
  }

  add({ timeouts }: NamingOptions): void {
    this.hierarchies.add(timeouts as Record<string, TimeoutHierarchy> | undefined);
  }

  resolve({ place, values }: Said): TimeoutPolicy {
    const given = values.filter((value) => value !== undefined).at(-1);
    if (typeof given === 'string') return new TimeoutPolicy(this.layerMs(given, place), place);
    if (given !== undefined) check(place, given, duration);
    const timeoutMs = (given as number | undefined) ?? this.defaultMs;
    if (timeoutMs !== undefined) return new TimeoutPolicy(timeoutMs, place);
    throw new ResilienceConfigurationError(
      place,
      "is given nothing, and there is no defaults.timeoutMs; allowed: milliseconds, or '<hierarchy>.<layer>'",
    );
  }

  /** @param layer `'<hierarchy>.<layer>'` */
  private layerMs(layer: string, place: string): number {
    const dot = layer.lastIndexOf('.');
    const hierarchy = this.hierarchies.get(layer.slice(0, dot));
    const name = layer.slice(dot + 1) as TimeoutLayer;
    if (hierarchy !== undefined && Object.hasOwn(hierarchy, name)) return hierarchy[name];
    const layers = [...this.hierarchies.names()].flatMap((name) => [
      `${name}.client`,
      `${name}.gateway`,
      `${name}.service`,
    ]);
    const ms = numberMeant(layer);
    const remedy =
      ms === undefined
        ? "a layer is '<hierarchy>.client', '.gateway' or '.service' of one in the module's timeouts, and a time of one's own a number of ms"
        : `pass the number ${ms}`;
    throw new ResilienceConfigurationError(
      place,
      `there is no timeout ${display(layer)}; ${known(layers, layer)}; ${remedy}`,
    );
  }
}
