import type { Class } from '../common/class.js';
import { known, ResilienceConfigurationError } from '../common/configuration.error.js';
import { methodsOf } from '../dispatch/class-methods.js';
import {
  allDefinitionsOf,
  classSettings,
  type MethodDefinition,
  type Settings,
} from '../dispatch/method-definition.js';
import { fallbackMethodOf } from '../fallback/fallback.options.js';
import { isHandler, isHandlerClass } from '../nest/handlers.js';
import { beforeRetryMethodOf } from '../retry/before-retry.js';
import { type ResilienceOptions, resilienceArgument } from '../service/resilience.options.js';
import { checkSaidOnce } from './decorator-order.js';
import { methodOf } from './method-traits.js';

/** Why a method is left out of what is said on its class. */
type Omission = 'unknown' | 'excluded' | 'fallback' | 'before retries' | 'no handler';

/**
 * Which methods of a class the decorators on it, and on those that it extends, apply to: a
 * controller's handlers; a provider's methods that are known to return a Promise or an Observable;
 * those that `@Resilience({ include })` names, and none that `exclude` names. Nor do they apply to
 * what a `@Fallback()` names: it answers because the class's policies had nothing to answer with; and not to
 * what a `@Retry()` names to run before retries: it is part of a call that these protect.
 */
export class ClassCoverage {
  /** What is said on the classes, base first. A name alone says nothing about calls. */
  private readonly layers: readonly Settings[];
  private readonly included = new Set<PropertyKey>();
  private readonly excluded = new Set<PropertyKey>();
  /** The methods that a fallback names, of the class, of its methods, or of those that these hide. */
  private readonly fallbacks: ReadonlySet<PropertyKey | undefined>;
  /** The same of those that run before retries. */
  private readonly preparations: ReadonlySet<PropertyKey | undefined>;
  private readonly methods: readonly PropertyKey[];

  /** @throws ResilienceConfigurationError where it is told of methods that there are not */
  constructor(private readonly type: Class) {
    this.methods = [...methodsOf(type.prototype as object)].map(([key]) => key);
    const layers = classSettings(type);
    for (const layer of layers) checkSaidOnce(type.name, layer);
    const all = [...layers, ...allDefinitionsOf(type).map(({ settings }) => settings)];
    this.fallbacks = new Set(all.map((settings) => fallbackMethodOf(settings?.fallback)));
    this.preparations = new Set(all.map((settings) => beforeRetryMethodOf(settings?.retry)));
    for (const { resilience } of layers) this.choose(resilience);
    this.layers = layers.filter((layer) => saysMore(layer));
  }

  /** What the class says about a method, base first: nothing where it leaves the method out. */
  layersFor(definition: MethodDefinition): readonly Settings[] {
    return this.omission(definition) === undefined ? this.layers : [];
  }

  /** Whether anything is said about a method, by its own decorators or by those of the class. */
  reaches(definition: MethodDefinition): boolean {
    return definition.settings !== undefined || this.layersFor(definition).length > 0;
  }

  /** What the boot says of a class with decorators on it: which methods they left out, and why. */
  report(definitions: readonly MethodDefinition[]): CoverageReport | undefined {
    if (this.layers.length === 0) return undefined;
    const defined = new Map(definitions.map((definition) => [definition.key, definition]));
    const left = new Map<Omission, string[]>();
    for (const key of this.methods) {
      const definition = defined.get(key);
      if (definition !== undefined && this.reaches(definition)) continue;
      const why = (definition && this.omission(definition)) ?? this.omissionOf(key);
      left.set(why, [...(left.get(why) ?? []), String(key)]);
    }
    const total = this.methods.length;
    const covered = total - [...left.values()].flat().length;
    const leftOut = left.size === 0 ? '' : `; left out: ${[...left].map(showOmitted).join('; ')}`;
    const text =
      covered === 0
        ? `its resilience decorators reach no method${leftOut}`
        : `${covered} of ${total} methods covered${leftOut}`;
    const level = covered === 0 ? 'warn' : left.has('unknown') ? 'log' : 'debug';
    return { level, text: `${this.type.name}: ${text}` };
  }

  private omission(definition: MethodDefinition): Omission | undefined {
    const { key } = definition;
    if (this.included.has(key)) return undefined;
    if (this.excluded.has(key)) return 'excluded';
    if (this.fallbacks.has(key)) return 'fallback';
    if (this.preparations.has(key)) return 'before retries';
    // What is said on a controller, a resolver or a gateway is said of its handlers alone.
    return isHandlerClass(this.type) && !isHandler(methodOf(definition)) ? 'no handler' : undefined;
  }

  private omissionOf(key: PropertyKey): Omission {
    if (this.excluded.has(key)) return 'excluded';
    if (this.fallbacks.has(key)) return 'fallback';
    if (this.preparations.has(key)) return 'before retries';
    return isHandlerClass(this.type) ? 'no handler' : 'unknown';
  }

  /** What a derived class chooses has the last word. */
  private choose(argument: unknown): void {
    if (argument === undefined) return;
    const place = `${this.type.name} @Resilience()`;
    const { include = [], exclude = [] } = resilienceArgument(place, argument);
    this.checkNames(`${place}.include`, include);
    this.checkNames(`${place}.exclude`, exclude);
    const both = include.find((key) => exclude.includes(key));
    if (both !== undefined) {
      throw new ResilienceConfigurationError(
        place,
        `has ${String(both)} in include and in exclude; allowed: in one of them`,
      );
    }
    for (const key of include) {
      this.included.add(key);
      this.excluded.delete(key);
    }
    for (const key of exclude) {
      this.excluded.add(key);
      this.included.delete(key);
    }
  }

  private checkNames(place: string, keys: readonly PropertyKey[]): void {
    const unknown = keys.find((key) => !this.methods.includes(key));
    if (unknown === undefined) return;
    throw new ResilienceConfigurationError(
      place,
      `${this.type.name} has no method ${String(unknown)} that class decorators could apply to; ${known(this.methods.map(String), String(unknown))}`,
    );
  }
}

/** One line for the log at boot: of note where methods were left out that may have been meant. */
export interface CoverageReport {
  readonly level: 'warn' | 'log' | 'debug';
  readonly text: string;
}

const REASONS: Record<Omission, string> = {
  unknown: 'not declared to return a Promise or an Observable',
  excluded: 'excluded',
  fallback: 'a fallback',
  'before retries': 'runs before retries',
  'no handler': 'not a handler',
};

function showOmitted([why, keys]: [Omission, string[]]): string {
  return `${keys.join(', ')} (${REASONS[why]})`;
}

function saysMore({ resilience, ...stages }: Settings): boolean {
  if (Object.keys(stages).length > 0) return true;
  if (typeof resilience !== 'object') return true;
  const { service, onDiscard } = (resilience ?? {}) as ResilienceOptions;
  return service !== undefined || onDiscard !== undefined;
}
