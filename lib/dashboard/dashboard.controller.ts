import {
  BadRequestException,
  Controller,
  Get,
  Inject,
  Logger,
  NotFoundException,
  Post,
  Req,
  Res,
  ServiceUnavailableException,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { AllowedHosts } from '../admin/allowed-hosts.js';
import { Exchange } from '../admin/exchange.js';
import { refuseOtherSites } from '../admin/same-origin.js';
import type { CircuitBreakerPolicy, ControlScope } from '../index.js';
import type { ResolvedDashboardOptions } from './dashboard.options.js';
import { DashboardService } from './dashboard.service.js';
import { PAGE_POLICY, page } from './page/page.js';

type Answering = ConstructorParameters<typeof Exchange>;

/** What the buttons do. */
const ACTIONS: Record<string, (breaker: CircuitBreakerPolicy, scope: ControlScope) => void> = {
  open: (breaker, scope) => breaker.forceOpen(scope),
  close: (breaker, scope) => breaker.reset(scope),
  disable: (breaker, scope) => breaker.disable(scope),
};

/** Keeps the page out of an OpenAPI document, as `@ApiExcludeController()` of @nestjs/swagger does. */
const SWAGGER_EXCLUDES = 'swagger/apiExcludeController';

/** A controller at the path, behind the guard: a class of its own for each application. */
export function dashboardController(options: ResolvedDashboardOptions): Type<object> {
  const { path, guard, controls, instance, allowedHosts } = options;

  class ResilienceDashboardController {
    private readonly logger = new Logger('ResilienceDashboard');

    constructor(@Inject(DashboardService) private readonly dashboard: DashboardService) {}

    @Get()
    page(@Req() request: Answering[0], @Res() reply: Answering[1]): void {
      const headers = {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
        'referrer-policy': 'same-origin',
      };
      const hasFleet = this.dashboard.hasFleet;
      new Exchange(request, reply).begin(200, headers).end(page({ controls, instance, hasFleet }));
    }

    /** Server-Sent Events, each a `Frame`. */
    @Get('events')
    events(@Req() request: Answering[0], @Res() reply: Answering[1]): void {
      const { stream } = this.dashboard;
      if (!stream?.open) throw new ServiceUnavailableException('The dashboard is not open now');
      const exchange = new Exchange(request, reply);
      const response = exchange.begin(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no', // nginx would collect the events
      });
      if (exchange.request.method === 'HEAD') response.end();
      else stream.add(response);
    }

    /** `POST …/breakers?name=payments&action=open`, and `&scope=fleet` for all instances; 204 when it is done. */
    @Post('breakers')
    control(@Req() request: Answering[0], @Res() reply: Answering[1]): void {
      if (!controls) throw new NotFoundException();
      const exchange = new Exchange(request, reply);
      refuseOtherSites(exchange);
      const action = exchange.query('action') ?? '';
      const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
      if (act === undefined)
        throw new BadRequestException(`action is one of ${Object.keys(ACTIONS).join(', ')}`);
      const scope = this.scopeOf(exchange);
      const breaker = exchange.query('name') ?? '';
      if (!this.dashboard.control(breaker, (each) => act(each, scope)))
        throw new NotFoundException('There is no such circuit breaker');
      this.logger.warn({ event: 'circuit_breaker_controlled', breaker, action, ...scope });
      this.done(exchange);
    }

    /** `POST …/chaos?action=stop`, and `&scope=fleet` for all instances; 204 when there is no chaos any more. */
    @Post('chaos')
    controlChaos(@Req() request: Answering[0], @Res() reply: Answering[1]): void {
      if (!controls) throw new NotFoundException();
      const exchange = new Exchange(request, reply);
      refuseOtherSites(exchange);
      if (exchange.query('action') !== 'stop') throw new BadRequestException('action is stop');
      const scope = this.scopeOf(exchange);
      const action = { event: 'chaos_controlled', action: 'stop', ...scope };
      if (this.dashboard.stopChaos(scope)) this.logger.warn(action);
      this.done(exchange);
    }

    private scopeOf(exchange: Exchange): ControlScope {
      const scope = exchange.query('scope') ?? 'instance';
      if (scope !== 'instance' && scope !== 'fleet')
        throw new BadRequestException('scope is instance or fleet');
      if (scope === 'instance') return {};
      if (!this.dashboard.hasFleet) throw new BadRequestException('There is no fleet');
      return { fleet: true };
    }

    /** Who pressed the button sees it at once. */
    private done(exchange: Exchange): void {
      this.dashboard.stream?.tick();
      exchange.begin(204).end();
    }
  }

  Controller({ path, version: VERSION_NEUTRAL })(ResilienceDashboardController);
  // Decorators apply from the bottom up, and guards run in the order in which they come.
  if (guard !== undefined) UseGuards(guard)(ResilienceDashboardController);
  if (allowedHosts !== undefined)
    UseGuards(new AllowedHosts(allowedHosts))(ResilienceDashboardController);
  Reflect.defineMetadata(SWAGGER_EXCLUDES, [true], ResilienceDashboardController);
  return ResilienceDashboardController;
}
