import { isObservable } from 'rxjs';
import type { AnyMethod, Class } from '../common/class.js';
import { openStreamOf } from '../common/open-stream.js';
import { currentScope, runInScope } from '../context/ambient.js';
import { isResilienceError } from '../errors/resilience.error.js';
import { answersByPromise, sendsEvents } from '../nest/handlers.js';
import type { RouteEdge } from '../nest/routes.js';
import { isClientGone } from './client-scope.js';
import type { RawResponse } from './connection.js';
import { clientClosedRequest, httpError, originOf } from './edge-errors.js';
import { inScope } from './in-scope.js';
import type { Sender } from './inbound.js';
import type { ResolvedInboundOptions } from './inbound.options.js';
import { forbidRetry, isRetried } from './no-retry.js';
import { RequestScope, requestScopeOf } from './request-scope.js';
import type { HttpRequest, RequestShedding } from './request-shedding.js';
import { promiseWithinDeadline, withinDeadline } from './within-deadline.js';

/**
 * The edge of an application for HTTP. A request has its scope from before the application's own
 * middleware; at its route, the handler ends at the client's deadline, and tells how it ended.
 *
 * It costs next to nothing where a route uses nothing of it, which no interceptor could: Nest wraps
 * each into promises and Observables.
 */
export class HttpEdge {
  constructor(
    readonly inbound: ResolvedInboundOptions,
    readonly mapErrors: boolean,
    private readonly shedding?: RequestShedding,
  ) {}

  /** What follows runs in the scope of the request; an overloaded server refuses it instead. */
  readonly enter = (
    request: unknown,
    response: unknown,
    raw: RawResponse,
    next: (error?: unknown) => void,
  ): void => {
    const { shedding } = this;
    const isJudged = shedding?.isOn === true;
    const refused = isJudged ? shedding.refuse(request as HttpRequest) : undefined;
    if (refused !== undefined) {
      next(this.mapErrors ? refused : httpError(refused, response)); // 503 in any case
      return;
    }
    const scope = new RequestScope(request as Sender, response, raw, this.inbound);
    if (isJudged) scope.seat = shedding.enter(raw);
    runInScope(scope, next);
  };

  /** What is around a handler. */
  routeEdge(type: Class, handler: AnyMethod): RouteEdge {
    return new HandlerEdge(this, type, handler);
  }
}

/** What answers a request. */
export interface Handling {
  readonly type: Class;
  readonly handler: AnyMethod;
}

/** What handlers have failed by. */
const failures = new WeakMap<object, Handling>();

/** What failed by an error that has come out of a route. */
export function handlingOf(error: unknown): Handling | undefined {
  return failures.get(error as object);
}

class HandlerEdge implements RouteEdge, Handling {
  private readonly sendsEvents: boolean;

  constructor(
    private readonly edge: HttpEdge,
    readonly type: Class,
    readonly handler: AnyMethod,
  ) {
    this.sendsEvents = sendsEvents(handler);
  }

  async answer(
    request: unknown,
    response: unknown,
    proceed: () => Promise<unknown>,
  ): Promise<unknown> {
    const scope = requestScopeOf(request, response, this.edge.inbound);
    if (scope === undefined) return proceed();
    scope.begin();
    if (this.sendsEvents) scope.sendEvents();
    let answer: unknown;
    try {
      answer = await (currentScope() === scope
        ? this.begun(scope, proceed)
        : runInScope(scope, () => this.begun(scope, proceed)));
    } catch (error) {
      scope.answered();
      scope.end();
      throw this.told(error, scope, response);
    }
    if (isObservable(answer)) {
      const values = scope.isLimited ? withinDeadline(answer, scope, this.sendsEvents) : answer;
      const isPromised = () => answersByPromise(this.type, this.handler);
      return inScope(values, scope, isPromised, (error) => this.told(error, scope, response));
    }
    scope.answered();
    scope.end();
    if (scope.seat !== undefined && (scope.flows || openStreamOf(answer) !== undefined))
      scope.seat.leave();
    return answer;
  }

  private begun(scope: RequestScope, proceed: () => Promise<unknown>): Promise<unknown> {
    return scope.isLimited ? promiseWithinDeadline(proceed, scope) : proceed();
  }

  /** What the filters of the application are told; but events that have begun to be sent are past them. */
  private told(error: unknown, scope: RequestScope, response: unknown): unknown {
    if (isRetried(error, scope)) forbidRetry(response);
    if (error === scope.reason && isClientGone(error)) return clientClosedRequest();
    const isSent = this.sendsEvents && this.edge.mapErrors && scope.headersSent;
    if (isSent) return httpError(error, response);
    const told = originOf(error);
    if (isResilienceError(told)) failures.set(told as object, this);
    return told;
  }
}
