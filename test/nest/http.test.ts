import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  type NestModule,
  type OnModuleInit,
  Scope,
  UseFilters,
} from '@nestjs/common';
import {
  APP_INTERCEPTOR,
  ApplicationConfig,
  BaseExceptionFilter,
  ExternalContextCreator,
  HttpAdapterHost,
  ModulesContainer,
} from '@nestjs/core';
import { mapInBaseFilter } from '../../lib/nest/base-filter.js';
import { enterBefore } from '../../lib/nest/entrance.js';
import { askLast, catchesOf, filterGateways, filtersOf } from '../../lib/nest/filters.js';
import { takePartInInjection } from '../../lib/nest/injector.js';
import { classesOf } from '../../lib/nest/modules.js';
import { takePartInRoutes } from '../../lib/nest/routes.js';
import { bootContext, bootServer, closeAll, modulesIn } from './support.js';

afterEach(closeAll);

describe('A request', () => {
  const trace: string[] = [];

  @Injectable()
  class Ours implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler) {
      trace.push('our interceptor');
      return next.handle();
    }
  }
  @Injectable()
  class Theirs implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler) {
      trace.push('their interceptor');
      return next.handle();
    }
  }
  @Controller()
  class Routes {
    @Get() find() {
      trace.push('handler');
      return 'found';
    }
  }
  @Module({
    controllers: [Routes],
    providers: [
      Ours,
      { provide: APP_INTERCEPTOR, useExisting: Ours },
      { provide: APP_INTERCEPTOR, useClass: Theirs },
      {
        provide: 'edge',
        inject: [Ours, ApplicationConfig, HttpAdapterHost, ExternalContextCreator],
        useFactory: (
          ours: Ours,
          config: ApplicationConfig,
          host: HttpAdapterHost,
          contexts: ExternalContextCreator,
        ) => {
          enterBefore(host, (_request, _response, _raw, next) => {
            trace.push('entrance');
            next();
          });
          takePartInRoutes(contexts, config, ours, {
            routeEdge: (type, handler) => ({
              async answer(_request, _response, proceed) {
                trace.push(`edge of ${type.name}.${handler.name}`);
                return proceed();
              },
            }),
          });
          return {};
        },
      },
    ],
  })
  class Root implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      const middleware = (_request: unknown, _response: unknown, next: () => void) => {
        trace.push('middleware');
        next();
      };
      consumer.apply(middleware).forRoutes(Routes);
    }
  }

  it('is entered before all middleware, and its route has an edge in the place of our interceptor', async () => {
    const { url } = await bootServer(Root);
    trace.length = 0;
    expect(await (await fetch(url)).text()).toBe('found');
    expect(trace).toEqual([
      'entrance',
      'middleware',
      'edge of Routes.find',
      'their interceptor',
      'handler',
    ]);
  });
});

describe('Middleware that is a class', () => {
  @Injectable()
  class Middleware implements NestMiddleware {
    madeBy = 'Nest';

    use(_request: unknown, response: { end(body: string): void }) {
      response.end(`made by ${this.madeBy}`);
    }
  }
  @Controller()
  class Routes {
    @Get() never() {}
  }
  @Module({ controllers: [Routes] })
  class Root implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      consumer.apply(Middleware).forRoutes(Routes);
    }
  }

  it('is among the classes of its application, which makes it where it wants that', async () => {
    takePartInInjection(() => ({
      wants: (type) => type === Middleware,
      construct: () => Object.assign(new Middleware(), { madeBy: 'the application' }),
      expect: () => () => undefined,
      adopt: () => undefined,
    }));
    const { app, url } = await bootServer(Root);
    expect(await (await fetch(url)).text()).toBe('made by the application');
    expect([...classesOf(modulesIn(app))].map(([type]) => type)).toContain(Middleware);
  });
});

class Known extends Error {}
class Unknown extends Error {}

describe('Filters', () => {
  @Catch(Known)
  class ForKnown implements ExceptionFilter {
    catch() {}
  }
  @Catch()
  class ForAll implements ExceptionFilter {
    catch() {}
  }
  @Catch(Unknown)
  @Injectable({ scope: Scope.REQUEST })
  class PerRequest implements ExceptionFilter {
    catch() {}
  }
  const given = new ForAll();

  @Controller()
  @UseFilters(ForKnown, PerRequest)
  class Routes {
    @Get() @UseFilters(given) bound() {}
    @Get() bare() {}
  }
  @Module({ controllers: [Routes] })
  class Root {}

  it('say what they are for', () => {
    expect([new ForKnown(), new ForAll()].map(catchesOf)).toEqual([[Known], []]);
  });

  it('that are bound to a handler and its class are found, but for those of one request', async () => {
    const app = await bootContext(Root);
    const { bound, bare } = Routes.prototype;
    const classFilter = expect.any(ForKnown);
    expect(filtersOf(Routes, bound, modulesIn(app))).toEqual([classFilter, given]);
    expect(filtersOf(Routes, bare, modulesIn(app))).toEqual([classFilter]);
  });

  it('of gateways get one more, which is asked last, until that is taken back', async () => {
    class Derived extends Routes {}
    const modules = new ModulesContainer();
    const last = new ForAll();
    const release = filterGateways([Derived], last);
    expect(filtersOf(Derived, Derived.prototype.bare, modules)).toEqual([last]);
    release();
    expect(filtersOf(Derived, Derived.prototype.bare, modules)).toEqual([]);
    expect(Reflect.getOwnMetadataKeys(Derived)).toEqual([]);
  });
});

describe('An error', () => {
  const asked: string[] = [];

  @Catch()
  class Last implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost) {
      asked.push('last');
      host.switchToHttp().getResponse<{ end(body: string): void }>().end('told by the last one');
    }
  }
  @Catch(Known)
  class Theirs implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost) {
      host.switchToHttp().getResponse<{ end(body: string): void }>().end('told by theirs');
    }
  }
  @Catch(Unknown)
  class CatchAll extends BaseExceptionFilter {}

  @Controller()
  class Routes {
    @Get('known') known() {
      throw new Known();
    }
    @Get('other') other() {
      throw new Error('other');
    }
    @Get('unknown') @UseFilters(CatchAll) unknown() {
      throw new Unknown();
    }
  }
  @Module({ controllers: [Routes] })
  class Root implements OnModuleInit {
    constructor(
      private readonly config: ApplicationConfig,
      private readonly host: HttpAdapterHost,
    ) {
      config.addGlobalFilter(new Theirs());
      askLast(new Last(), this.config);
    }

    onModuleInit() {
      const teapot = new HttpException('I am a teapot', 418);
      mapInBaseFilter(this.host.httpAdapter, (error) =>
        error instanceof Unknown ? teapot : undefined,
      );
    }
  }

  it('gets to the filter that is asked last only where no other is for it', async () => {
    const { url } = await bootServer(Root);
    expect(await (await fetch(`${url}/known`)).text()).toBe('told by theirs');
    expect(asked).toEqual([]);
    expect(await (await fetch(`${url}/other`)).text()).toBe('told by the last one');
  });

  it('is mapped where a filter of the application leaves it to that of Nest', async () => {
    const { url } = await bootServer(Root);
    expect((await fetch(`${url}/unknown`)).status).toBe(418);
  });
});
