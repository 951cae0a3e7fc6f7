import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { checkOptions, type Rule } from '../common/options.js';
import { giveMeaning, ResilienceError } from '../common/resilience.error.js';
import type { AttemptStage } from './attempt-stage.js';
import type {
  AnySpecification,
  RefusalDetails,
  StageInstance,
  StageReporter,
} from './define-stage.js';
import { namedStage } from './named-catalog.js';
import { type NamedInstances, type NamedPolicy, PolicyRegistry } from './named-instances.js';
import type { HealthLevel, StageDefinition, StageHost } from './stage-definition.js';

/** The class of a stage's errors. */
export type StageErrorClass = new (
  message: string,
  details?: RefusalDetails & { captureStackTrace?: boolean },
) => ResilienceError;

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
    snapshot: (policy) => policy.snapshot(),
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

function errorClassOf({ name, error }: AnySpecification): StageErrorClass {
  const meaning = error ?? {
    code: 'REJECTED',
    http: 503,
    grpc: 14,
    message: 'The service is temporarily unavailable',
  };
  class StageError extends ResilienceError {
    override readonly name = `${name.charAt(0).toUpperCase()}${name.slice(1)}Error`;
    readonly code = meaning.code;
    readonly retryAfterMs: number | undefined;

    constructor(message: string, details: RefusalDetails & { captureStackTrace?: boolean } = {}) {
      super(message, details.captureStackTrace, details.cause);
      this.retryAfterMs = details.retryAfterMs;
    }
  }
  giveMeaning(StageError, meaning);
  return StageError;
}

class Reporter implements StageReporter {
  private readonly tags: Readonly<Record<string, string>>;

  constructor(
    private readonly stage: string,
    private readonly instance: string,
    private readonly host: StageHost,
    private readonly errorClass: StageErrorClass,
  ) {
    this.tags = { [stage]: instance };
  }

  report(event: Parameters<StageReporter['report']>[0]): void {
    this.host.report({ ...this.tags, ...event });
  }

  count(metric: string, tags?: StageTags, by?: number): void {
    this.host.metrics.increment(metric, this.tagged(tags), by);
  }

  gauge(metric: string, value: number, tags?: StageTags): void {
    this.host.metrics.gauge(metric, value, this.tagged(tags));
  }

  observe(metric: string, durationMs: number, tags?: StageTags): void {
    this.host.metrics.observe(metric, durationMs, this.tagged(tags));
  }

  refusal({ message, ...details }: RefusalDetails = {}): ResilienceError {
    const { captureStackTrace } = this.host;
    const text = message ?? `The ${this.stage} "${this.instance}" refused the call`;
    return new this.errorClass(text, { ...details, captureStackTrace });
  }

  private tagged(tags: StageTags): Readonly<Record<string, string | number | boolean>> {
    return tags === undefined ? this.tags : { ...this.tags, ...tags };
  }
}

type StageTags = Parameters<StageReporter['count']>[1];
