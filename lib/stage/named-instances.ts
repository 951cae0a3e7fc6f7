import { Registry } from '../common/registry.js';
import type { NamedPolicy, SharedInstances, StageApplication } from './stage-definition.js';

/** Whether options or a decorator say something of one's own, and not the name of something shared. */
export function isInline(said: unknown): boolean {
  return said !== undefined && typeof said !== 'string';
}

/** How the instances of a stage are made. */
export interface NamedInstances<P extends NamedPolicy, O extends object, H>
  extends SharedInstances<P> {
  readonly registry: new (
    hostFor: (name: string) => H,
    onLeft: (name: string) => void,
  ) => PolicyRegistry<P, O, H>;
  check(place: string, options: unknown): O;
  /** What says what a number in the place of a name was meant for: `{ maxConcurrent: 5 }`. */
  instead?(number: number): string;
  /** Later layers win. @default field by field */
  merge?(...layers: (O | undefined)[]): O;
  /** Checks the options of all layers together. */
  resolve(place: string, options: O): unknown;
  make(name: string, options: O, host: H): P;
  host(name: string, application: StageApplication): H;
  /** What is allowed of one, but is probably not what was meant. */
  doubts?(policy: P): string[];
  /** The application begins to close. */
  shutdown?(policy: P): void;
  /** It is used no more. */
  dispose?(policy: P): void;
  /** One is there no more, of which gauges still tell. */
  left(name: string, application: StageApplication): void;
}

/** The instances of one stage in an application: the named ones, and those that decorators made inline. */
export abstract class PolicyRegistry<
  P extends NamedPolicy,
  O extends object,
  H = unknown,
> extends Registry<P> {
  /** @internal */
  protected constructor(
    private readonly instances: NamedInstances<P, O, H>,
    private readonly hostFor: (name: string) => H,
    onLeft: (name: string) => void = () => undefined,
  ) {
    super(instances.title, instances.section ?? instances.stage, onLeft, instances.instead);
  }

  /**
   * @throws ResilienceConfigurationError where the options are wrong or the name is taken
   * @internal
   */
  define(name: string, options: O, place: string): P {
    const { instances } = this;
    instances.resolve(place, instances.check(place, options)); // with the place in the message
    return this.add(instances.make(name, options, this.hostFor(name)), place);
  }

  /** @internal */
  override remove(policy: P): void {
    super.remove(policy);
    this.instances.dispose?.(policy);
  }
}
