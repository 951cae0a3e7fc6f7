import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Logger,
  type NestInterceptor,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { firstValueFrom, isObservable, Observable } from 'rxjs';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { currentScope, runInScope } from '../context/ambient.js';
import { headerOf } from '../edge/inbound.js';
import { Guard } from '../errors/guard.js';
import { ActiveRule } from './active-rule.js';
import type { Chaos } from './chaos.js';
import type { ChaosGuard, ChaosHeaderOptions } from './chaos.options.js';
import { parseChaosHeader } from './chaos-header.js';
import { ChaosScope } from './chaos-scope.js';

/** What an interceptor of it has to know of its application. */
export interface ChaosInterceptorParts {
  readonly chaos: Chaos;
  /** The names of the operations that there are. */
  operations(): readonly string[];
  /** What the application provides of a class. @throws where it does not */
  provided(type: Type<CanActivate>): CanActivate;
}

/** Around each handler where a request may bring chaos along, after the guards and before the pipes. */
export class ChaosInterceptor implements NestInterceptor, OnModuleInit {
  private readonly logger = new Logger('Chaos');
  private readonly guard = new Guard('allow of chaos.header');
  /** The guard, where the options give the class of one. */
  private provided: CanActivate | undefined = undefined;

  constructor(
    private readonly header: ChaosHeaderOptions,
    private readonly parts: ChaosInterceptorParts,
  ) {}

  /** Also those that other modules provide are there by now. */
  onModuleInit(): void {
    const { allow } = this.header;
    if (!isGuardClass(allow)) return;
    try {
      this.provided = this.parts.provided(allow);
    } catch {
      throw new ResilienceConfigurationError(
        'chaos.header.allow',
        `is ${display(allow)}, of which the application provides no single one; allowed: a guard among the providers of a module and without a scope, a guard that was made, or a function`,
      );
    }
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const value = headerOf(context, this.header.name);
    if (typeof value !== 'string' || value === '') return next.handle();
    if (!(await this.allows(context))) {
      this.logger.debug(
        `A request with the header ${this.header.name} is not allowed to bring chaos along`,
      );
      return next.handle();
    }
    const rules = this.rulesIn(value);
    return rules.length === 0 ? next.handle() : this.inChaos(rules, next);
  }

  /** Whoever fails to say so has not allowed it. */
  private async allows(context: ExecutionContext): Promise<boolean> {
    try {
      const answer = await this.ask(this.provided ?? this.header.allow, context);
      return (isObservable(answer) ? await firstValueFrom(answer) : answer) === true;
    } catch (error) {
      this.guard.warn(error);
      return false;
    }
  }

  private ask(allow: ChaosGuard, context: ExecutionContext): unknown {
    if (typeof allow !== 'function') return allow.canActivate(context);
    return (allow as Exclude<ChaosGuard, CanActivate | Type>)(context);
  }

  private rulesIn(value: string): ActiveRule[] {
    const { rules, ignored } = parseChaosHeader(value);
    const names = this.parts.operations();
    const active = rules.map((rule) => new ActiveRule('header', rule));
    const known = active.filter((rule) => names.some((name) => rule.matches(name, undefined)));
    const strange = active.filter((rule) => !known.includes(rule));
    this.tell([
      ...ignored,
      ...strange.map(({ rule }) => `there is no operation ${rule.operations}`),
    ]);
    return known;
  }

  private tell(ignored: readonly string[]): void {
    if (ignored.length === 0) return;
    const message = `Of the header ${this.header.name} of a request, this is ignored: ${ignored.join('; ')}`;
    this.logger.warn({ event: 'chaos_header_ignored', message });
  }

  private inChaos(rules: readonly ActiveRule[], next: CallHandler): Observable<unknown> {
    const { chaos } = this.parts;
    return new Observable((subscriber) => {
      const scope = new ChaosScope(currentScope(), rules);
      const leave = chaos.enter(rules);
      subscriber.add(() => {
        scope.leave();
        leave();
      });
      subscriber.add(runInScope(scope, () => next.handle().subscribe(subscriber)));
    });
  }
}

function isGuardClass(allow: ChaosGuard): allow is Type<CanActivate> {
  const { prototype } = allow as { prototype?: Partial<CanActivate> };
  return typeof prototype?.canActivate === 'function';
}
