import { Logger } from '@nestjs/common';
import type { AnyMethod, Class } from '../common/class.js';
import type { MethodDefinition } from '../dispatch/method-definition.js';
import { DispatchingRuntime, fillSlot } from '../dispatch/runtime-slot.js';
import type { ClassOperations } from './class-operations.js';
import { callMethod, MethodWork } from './method-call.js';
import type { MethodOperation } from './method-planner.js';

/** The operation of a method that was called last, which is mostly the next one too. */
interface LatestOperation {
  readonly dispatcher: MethodDispatcher;
  readonly prototype: unknown;
  readonly operation: MethodOperation;
  readonly work: MethodWork;
}

/**
 * Runs the decorated methods of one application's objects, each by its operation.
 *
 * It is there before the options are known: Nest hands it to every instance that it makes.
 */
export class MethodDispatcher extends DispatchingRuntime {
  private readonly logger = new Logger('ResilienceModule');
  private classes: ClassOperations | undefined = undefined;
  /** The classes of what was taken in, whose operations are made when all features are known. */
  readonly adopted = new Set<Class>();
  private readonly early = new Set<MethodDefinition>();
  private readonly latest = new Map<MethodDefinition, LatestOperation>();

  /** From now on calls go through these operations. */
  begin(classes: ClassOperations): void {
    this.classes = classes;
  }

  /** Lets go of what it holds in classes, which outlive applications. */
  end(): void {
    for (const [definition, latest] of this.latest)
      if (definition.latest === latest) definition.latest = undefined;
  }

  /** Takes in an object that Nest did not construct, where its class has decorated methods. */
  override adopt(instance: unknown): void {
    try {
      if (!fillSlot(instance, this)) return;
    } catch {
      return; // a proxy that does not want to be looked at has nothing of ours
    }
    this.adopted.add(classOf(instance as object));
  }

  /** Runs a decorated method. */
  override dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown {
    const { classes } = this;
    if (classes === undefined) {
      this.warnOnce(
        self,
        definition,
        'before the options of ResilienceModule.forRootAsync() were known',
      );
      return original.apply(self, args);
    }
    const prototype: unknown = Object.getPrototypeOf(self);
    // Where only one application calls it, it is found without being looked for.
    const last = definition.latest as LatestOperation | undefined;
    const latest = last?.dispatcher === this ? last : this.latest.get(definition);
    if (latest !== undefined && latest.prototype === prototype) {
      definition.latest = latest;
      return callMethod(latest.operation, latest.work, self, args);
    }
    let operation: MethodOperation | undefined;
    try {
      operation = classes.find(classOf(self), definition);
    } catch (error) {
      // An object that was not there at boot, of a class that is wrong. Who expects an Observable would
      // not look at a Promise.
      if (definition.functionKind !== 'AsyncFunction') throw error;
      return Promise.reject(error);
    }
    if (operation === undefined) return original.apply(self, args);
    const work = new MethodWork(operation, original);
    const next: LatestOperation = { dispatcher: this, prototype, operation, work };
    definition.latest = next;
    this.latest.set(definition, next);
    return callMethod(operation, work, self, args);
  }

  override missed(self: object, definition: MethodDefinition): void {
    this.warnOnce(self, definition, 'before its object belonged to an application');
  }

  private warnOnce(self: object, definition: MethodDefinition, when: string): void {
    if (this.early.has(definition)) return;
    this.early.add(definition);
    const name = `${classOf(self).name}.${String(definition.key)}`;
    this.logger.warn(`${name} was called ${when}: that call ran unprotected`);
  }
}

function classOf(instance: object): Class {
  return (Object.getPrototypeOf(instance) as { constructor: Class }).constructor;
}
