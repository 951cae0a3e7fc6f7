import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { checkOptions, type Rule } from '../common/options.js';
import type { ResilienceError } from '../common/resilience.error.js';
import type { AttemptStage } from './attempt-stage.js';
import { namedStage } from './named-catalog.js';
import { type NamedInstances, PolicyRegistry } from './named-instances.js';
import { errorClassOf, Reporter, type StageErrorClass } from './reporter.js';
import type { HealthLevel, NamedPolicy, StageDefinition, StageHost } from './stage-definition.js';
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
    readonly given: object,
    readonly options: object,
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

  get needsScope(): boolean | undefined {
    return this.instance.needsScope;
  }
}

interface OwnTypes {
  name: string;
  policy: OwnStage;
  error: ResilienceError;
}

type OwnInstances = NamedInstances<OwnStage, object, StageHost>;

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
  const instances: OwnInstances = {
    stage: name,
    title,
    section: named,
    policy: { name: `instance of the stage ${name}` },
    needs: 'admit',
    registry: class OwnRegistry extends PolicyRegistry<OwnStage, object, StageHost> {
      constructor(hostFor: (name: string) => StageHost, onLeft?: (name: string) => void) {
        super(instances, hostFor, onLeft);
      }
    },
    check,
    resolve: () => undefined,
    make(instance, given, application) {
      const host = new Reporter(name, instance, application, errorClass);
      const options = inForce(given);
      const made = specification.make(instance, options as never, host);
      const warn = application.warnOf(`The ${title} "${instance}"`);
      return new OwnStage(instance, given, options, made, warn);
    },
    host: (_name, application) => application,
    injected: (policy) => (policy instanceof OwnStage ? policy.instance : policy),
    snapshot: (policy: Partial<OwnStage>) => policy.snapshot?.() ?? {}, // a test may have put something else there
    health: (snapshot) => ({ status: levelOf(specification, snapshot), ...snapshot }),
    dispose: ({ instance }) => instance.dispose?.(),
    left(instance, application) {
      for (const [metric, { kind }] of Object.entries(metrics ?? {}))
        if (kind === 'gauge') application.metrics.gauge(metric, 0, { [name]: instance });
    },
  };
  const definition = namedStage<OwnTypes, object, StageHost>(instances, {
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
