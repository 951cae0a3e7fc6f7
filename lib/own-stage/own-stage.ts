import type { AttemptStage, Retention } from '../attempt/attempt-stage.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { checkOptions, type Rule } from '../common/options.js';
import { Registry } from '../common/registry.js';
import type { HealthLevel } from '../common/stage-instances.js';
import type { ResilienceError } from '../errors/resilience.error.js';
import { namedStage } from '../instances/named-stage.js';
import type { NamedInstances, NamedPolicy } from '../stage/named-instances.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { errorClassOf, Reporter, type StageErrorClass } from './reporter.js';
import type { AnySpecification, StageInstance } from './stage-specification.js';

/** What an instance of a user's stage is to the library: its hooks, under a name. */
export class OwnStage implements AttemptStage, NamedPolicy {
  readonly admit: AttemptStage['admit'];
  readonly wait: AttemptStage['wait'];
  readonly confirm: AttemptStage['confirm'];
  readonly settled: AttemptStage['settled'];
  readonly finished: AttemptStage['finished'] = undefined;

  constructor(
    readonly name: string,
    public given: object,
    public options: object,
    readonly instance: StageInstance,
    private readonly warn: (error: unknown) => void,
  ) {
    if (typeof instance?.admit !== 'function')
      throw new ResilienceConfigurationError(
        name,
        `make() of its stage answers ${display(instance)}; allowed: an object with admit()`,
      );
    this.admit = instance.admit.bind(instance);
    this.wait = instance.wait?.bind(instance);
    this.confirm = instance.confirm?.bind(instance);
    this.settled = instance.settled?.bind(instance);
    if (instance.finished === undefined) return;
    // What stands around it has to hear of the end all the same.
    this.finished = (permit, attempt, answered) => {
      try {
        instance.finished?.(permit, attempt, answered);
      } catch (error) {
        warn(error);
      }
    };
  }

  /** It is asked every second by a dashboard, and must not end the process. */
  snapshot(): object {
    try {
      return this.instance.snapshot?.() ?? {};
    } catch (error) {
      this.warn(error);
      return {};
    }
  }

  /** What it throws must keep nothing else from ending. */
  dispose(): void {
    try {
      this.instance.dispose?.();
    } catch (error) {
      this.warn(error);
    }
  }

  /** It goes by other options from now on, which have been checked. */
  change(given: object, options: object): void {
    this.instance.change?.(options);
    this.given = given;
    this.options = options;
  }

  get needsScope(): boolean | undefined {
    return this.instance.needsScope;
  }

  get retention(): Retention | undefined {
    return this.instance.retention;
  }
}

interface OwnTypes {
  name: string;
  policy: OwnStage;
  error: ResilienceError;
}

/** @internal */
export function definitionOf(specification: AnySpecification): {
  definition: StageDefinition;
  errorClass: StageErrorClass;
} {
  const { name, named, inside, options: rules, metrics } = specification;
  const title = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  const errorClass = errorClassOf(specification);
  const check = (place: string, value: unknown) =>
    checkOptions<object>(place, longOf(specification, value), rules as Record<never, Rule>);
  const inForce = (options: object) => ({ ...specification.defaults, ...options });
  const instances: NamedInstances<OwnStage> = {
    stage: name,
    title,
    section: named,
    policy: { name: `instance of the stage ${name}` },
    registry: Registry,
    check,
    resolve: (_place, given) => inForce(given),
    make(instance, given, host) {
      const options = inForce(given);
      const reporter = new Reporter(name, instance, host, errorClass);
      const made = specification.make(instance, options as never, reporter);
      const warn = host.warnOf(`The ${title} "${instance}"`);
      return new OwnStage(instance, given, options, made, warn);
    },
    change: (policy, given) => policy.change(given, inForce(given)),
    canChange: ({ instance }) => typeof instance.change === 'function',
    injected: (policy) => (policy instanceof OwnStage ? policy.instance : policy),
    // A test may have put something else in its place.
    snapshot: (policy: Partial<OwnStage>) => policy.snapshot?.() ?? {},
    health: (snapshot) => ({ status: levelOf(specification, snapshot), ...snapshot }),
    dispose: (policy: Partial<OwnStage>) => policy.dispose?.(),
    left(instance, host) {
      for (const [metric, { kind }] of Object.entries(metrics ?? {}))
        if (kind === 'gauge') host.metrics.gauge(metric, 0, { [name]: instance });
    },
  };
  const definition = namedStage<OwnTypes, object>(instances, {
    inside,
    error: errorClass,
    metrics: metrics ?? {},
    summarize: (policy) => `${title} ${policy.name}`,
  });
  return { definition, errorClass };
}

/** What cannot be said is not well. */
function levelOf({ health }: AnySpecification, snapshot: object): HealthLevel {
  try {
    return health?.(snapshot as never) ?? 'up';
  } catch {
    return 'degraded';
  }
}

/** The options that something shorter stands for. */
function longOf({ short }: AnySpecification, value: unknown): unknown {
  return short === undefined || typeof value === 'object' || value === undefined
    ? value
    : short(value);
}
