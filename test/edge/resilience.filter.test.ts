import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  Get,
  HttpException,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  Param,
  type PipeTransform,
  type Provider,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  BaseExceptionFilter,
  ExternalContextCreator,
  HttpAdapterHost,
} from '@nestjs/core';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { GraphQLError } from 'graphql';
import type { Observable } from 'rxjs';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerRegistry,
  Critical,
  type ResilienceModuleOptions,
  Timeout,
} from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from './adapters.support.js';
import { never } from './waiting.js';

afterEach(closeAll);

const UNAVAILABLE = { statusCode: 503, error: 'Service Unavailable' };
const ANSWERS = {
  timeout: {
    status: 504,
    body: {
      statusCode: 504,
      error: 'Gateway Timeout',
      message: 'The request took too long',
      code: 'TIMEOUT',
    },
  },
  open: {
    status: 503,
    body: {
      ...UNAVAILABLE,
      message: 'The service is temporarily unavailable',
      code: 'CIRCUIT_OPEN',
    },
  },
  full: {
    status: 503,
    body: { ...UNAVAILABLE, message: 'The service is overloaded', code: 'BULKHEAD_FULL' },
  },
};
type Refusal = keyof typeof ANSWERS;
const REFUSALS = Object.keys(ANSWERS) as Refusal[];

@Injectable()
class Vault {
  static refusal: Refusal = 'open';

  @Timeout(5)
  async timeout(): Promise<never> {
    return never();
  }
  @CircuitBreaker('secret')
  async open(): Promise<boolean> {
    return true;
  }
  @Bulkhead('secret')
  async full(): Promise<boolean> {
    return true;
  }
  ask(): Promise<boolean> {
    return this[Vault.refusal]();
  }
}

const OPTIONS: ResilienceModuleOptions = {
  breakers: { secret: {} },
  bulkheads: { secret: { maxConcurrent: 1, queueLimit: 0 } },
  shutdown: { graceMs: 0 }, // what fills the bulkhead never ends
  errorTracker: { log: false },
};

@Injectable()
class Guard implements CanActivate {
  constructor(private readonly vault: Vault) {}
  canActivate(): Promise<boolean> {
    return this.vault.ask();
  }
}

@Injectable()
class Outside implements NestInterceptor {
  constructor(private readonly vault: Vault) {}
  async intercept(_: unknown, next: CallHandler): Promise<Observable<unknown>> {
    await this.vault.ask();
    return next.handle();
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(private readonly vault: Vault) {}
  transform(): Promise<boolean> {
    return this.vault.ask();
  }
}

@Injectable()
class Middleware implements NestMiddleware {
  constructor(private readonly vault: Vault) {}
  async use(_request: unknown, _response: unknown, next: () => void): Promise<void> {
    await this.vault.ask();
    next();
  }
}

@Controller()
class Plain {
  @Get('fine')
  fine(): string {
    return 'fine';
  }
}

@Controller()
class Handling {
  constructor(private readonly vault: Vault) {}

  @Get('handler')
  handle(): Promise<boolean> {
    return this.vault.ask();
  }
  @Get('decorated')
  @Critical()
  async decorated(): Promise<boolean> {
    return this.vault.ask();
  }
}

@Controller()
@UseGuards(Guard)
class GuardedClass {
  @Get('class')
  get(): string {
    return 'unreachable';
  }
}

@Controller()
class GuardedMethods {
  @Get('method')
  @UseGuards(Guard)
  get(): string {
    return 'unreachable';
  }
  @Get('pipe/:id')
  piped(@Param('id', Pipe) id: string): string {
    return id;
  }
  @Get('interceptor')
  @UseInterceptors(Outside)
  intercepted(): string {
    return 'unreachable';
  }
}

@Module({ controllers: [Plain], providers: [Vault] })
class ByClassMiddleware {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(Middleware).forRoutes('*');
  }
}

@Module({ controllers: [Plain], providers: [Vault] })
class ByFunctionalMiddleware {
  constructor(private readonly vault: Vault) {}
  configure(consumer: MiddlewareConsumer): void {
    const middleware = async (_request: unknown, _response: unknown, next: () => void) => {
      await this.vault.ask();
      next();
    };
    consumer.apply(middleware).forRoutes('*');
  }
}

@Module({ controllers: [Plain], providers: [Vault, { provide: APP_GUARD, useClass: Guard }] })
class ByGlobalGuard {}

@Module({ controllers: [GuardedClass, GuardedMethods], providers: [Vault] })
class Guarded {}

@Module({ controllers: [Handling], providers: [Vault] })
class Handled {}

const EDGES: [string, Type, string][] = [
  ['a guard for all', ByGlobalGuard, '/fine'],
  ['a guard of the controller', Guarded, '/class'],
  ['a guard of the method', Guarded, '/method'],
  ['a pipe', Guarded, '/pipe/1'],
  ['an interceptor', Guarded, '/interceptor'],
  ['a middleware class', ByClassMiddleware, '/fine'],
  ['a middleware function', ByFunctionalMiddleware, '/fine'],
  ['a handler', Handled, '/handler'],
  ['a decorated handler', Handled, '/decorated'],
];

const causeOf = ({ cause }: Error) => (cause as Error | undefined)?.name;

/** Tells what it has caught. */
class Telling implements ExceptionFilter {
  constructor(
    private readonly adapters: HttpAdapterHost,
    private readonly told: string,
  ) {}
  catch(error: Error, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<unknown>();
    this.adapters.httpAdapter.reply(
      response,
      { told: this.told, caught: error.name, cause: causeOf(error) },
      418,
    );
  }
}
@Catch()
@Injectable()
class CatchAll extends Telling {
  constructor(adapters: HttpAdapterHost) {
    super(adapters, 'all');
  }
}
@Catch()
@Injectable({ scope: Scope.REQUEST })
class CatchAllOfRequest extends Telling {
  constructor(adapters: HttpAdapterHost) {
    super(adapters, 'all of the request');
  }
}
@Catch(CircuitBreakerOpenError)
@Injectable()
class CatchOpen extends Telling {
  constructor(adapters: HttpAdapterHost) {
    super(adapters, 'open');
  }
}
@Catch(TypeError, HttpException)
@Injectable()
class CatchHttp extends Telling {
  constructor(adapters: HttpAdapterHost) {
    super(adapters, 'http');
  }
}
@Catch(ForbiddenException)
@Injectable()
class CatchForbidden extends Telling {
  constructor(adapters: HttpAdapterHost) {
    super(adapters, 'forbidden');
  }
}

@Catch(HttpException)
class TellingOfMethod implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<{ send(body: string): void }>().send('of the method');
  }
}

@Catch(CircuitBreakerOpenError)
class CatchOpenOfGraphQL implements ExceptionFilter {
  catch(): Error {
    return new Error('caught');
  }
}

describe.each([EXPRESS, FASTIFY])('On $name, a resilience error of', (platform) => {
  async function serve(
    imports: Type[],
    options: ResilienceModuleOptions = {},
    providers: object[] = [],
  ) {
    const serving = await listen(
      platform,
      { imports, providers: providers as [] },
      { ...OPTIONS, ...options },
    );
    serving.app.get(CircuitBreakerRegistry).get('secret').forceOpen();
    void serving.app.get(BulkheadRegistry).get('secret').execute(never);
    return serving;
  }
  beforeEach(() => {
    Vault.refusal = 'open';
  });

  it.each(EDGES)('%s is answered by what it means to HTTP', async (_edge, module, path) => {
    const { call } = await serve([module]);
    for (const refusal of REFUSALS) {
      Vault.refusal = refusal;
      const { status, body, headers } = await call(path);
      expect({ status, body }).toEqual(ANSWERS[refusal]);
      expect(headers['retry-after']).toBe(refusal === 'open' ? '60' : undefined);
    }
  });

  it.each(EDGES)('%s is answered 500 with mapErrors: false', async (_edge, module, path) => {
    const { call } = await serve([module], { mapErrors: false });
    const { status, body } = await call(path);
    expect(status).toBe(500);
    expect(body).toEqual({ statusCode: 500, message: 'Internal server error' });
  });

  describe.each([
    ['a guard', ByGlobalGuard, '/fine'],
    ['a middleware class', ByClassMiddleware, '/fine'],
    ['a pipe', Guarded, '/pipe/1'],
    ['a handler', Handled, '/handler'],
    ['a decorated handler', Handled, '/decorated'],
  ] as const)('%s', (_edge, module, path) => {
    it.each([
      ['for all errors', CatchAll, 'all'],
      ['for open breakers', CatchOpen, 'open'],
    ])('is caught by a filter of the application %s, as it is', async (_for, filter, told) => {
      const caught = { told, caught: 'CircuitBreakerOpenError' };
      const provided = await serve([module], {}, [{ provide: APP_FILTER, useClass: filter }]);
      expect(await provided.call(path)).toMatchObject({ status: 418, body: caught });
    });

    it('is answered as that of a handler by a filter for all errors that leaves the answer to Nest', async () => {
      const seen: unknown[] = [];
      @Catch()
      class Reporting extends BaseExceptionFilter {
        override catch(error: unknown, host: ArgumentsHost): void {
          seen.push((error as Error).name);
          super.catch(error, host);
        }
      }
      const { call } = await serve([module], {}, [{ provide: APP_FILTER, useClass: Reporting }]);
      const { status, body, headers } = await call(path);
      expect({ status, body }).toEqual(ANSWERS.open);
      expect(headers['retry-after']).toBe('60');
      expect(seen).toEqual(['CircuitBreakerOpenError']);
      const plain = await serve([module], { mapErrors: false }, [
        { provide: APP_FILTER, useClass: Reporting },
      ]);
      expect((await plain.call(path)).status).toBe(500);
    });

    it('passes by filters for other errors', async () => {
      const { call } = await serve([module], {}, [
        { provide: APP_FILTER, useClass: CatchForbidden },
      ]);
      expect(await call(path)).toMatchObject(ANSWERS.open);
    });

    it('is told by a filter for what it becomes, with the status of that', async () => {
      const { call } = await serve([module], {}, [{ provide: APP_FILTER, useClass: CatchHttp }]);
      expect(await call(path)).toMatchObject({
        status: 418,
        body: { told: 'http', caught: 'HttpException', cause: 'CircuitBreakerOpenError' },
      });
    });
  });

  it('a guard is told by that filter of several which Nest would ask first', async () => {
    @Catch(HttpException)
    @Injectable()
    class CatchHttpToo extends Telling {
      constructor(adapters: HttpAdapterHost) {
        super(adapters, 'http too');
      }
    }
    @Controller()
    class Forbidding {
      @Get('forbidden')
      get(): string {
        throw new ForbiddenException();
      }
    }
    @Module({ controllers: [Forbidding] })
    class Shopping {}
    const { call } = await serve([Guarded, Shopping], {}, [
      { provide: APP_FILTER, useClass: CatchHttp },
      { provide: APP_FILTER, useClass: CatchHttpToo },
      { provide: APP_FILTER, useClass: CatchForbidden },
    ]);
    expect((await call('/forbidden')).body).toMatchObject({ told: 'forbidden' });
    expect((await call('/class')).body).toMatchObject({ told: 'http too' });
  });

  it('a guard is caught by filters of the controller, of the method, and of the request', async () => {
    @Controller()
    @UseGuards(Guard)
    @UseFilters(CatchAll)
    class OfClass {
      @Get('caught')
      get(): string {
        return 'unreachable';
      }
      @Get('caught/by-method')
      @UseFilters(CatchOpen)
      getToo(): string {
        return 'unreachable';
      }
    }
    @Module({ controllers: [OfClass], providers: [Vault] })
    class Filtered {}
    const { call } = await serve([Filtered, Guarded], {}, [
      { provide: APP_FILTER, useClass: CatchAllOfRequest },
    ]);
    expect((await call('/caught')).body).toMatchObject({ told: 'all' });
    expect((await call('/caught/by-method')).body).toMatchObject({ told: 'open' });
    expect((await call('/class')).body).toMatchObject({ told: 'all of the request' });
  });

  it('a handler is told by a filter of the method or of the controller for what it becomes', async () => {
    @Controller()
    @UseFilters(CatchHttp)
    class OfClass {
      constructor(private readonly vault: Vault) {}
      @Get('by-class')
      @UseFilters(CatchForbidden)
      byClass(): Promise<boolean> {
        return this.vault.ask();
      }
      @Get('by-method')
      @UseFilters(new TellingOfMethod())
      byMethod(): Promise<boolean> {
        return this.vault.ask();
      }
    }
    @Module({ controllers: [OfClass], providers: [Vault] })
    class Filtered {}
    const { call } = await serve([Filtered, Handled], {}, [
      { provide: APP_FILTER, useClass: CatchForbidden },
    ]);
    expect((await call('/by-class')).body).toMatchObject({ told: 'http', caught: 'HttpException' });
    expect(String((await call('/by-method')).body)).toBe('of the method');
    expect(await call('/handler')).toMatchObject(ANSWERS.open);
  });

  it('a guard, which says that it was retried to the end, is passed on so', async () => {
    @Injectable()
    class Forwarding implements CanActivate {
      async canActivate(): Promise<boolean> {
        const headers = new Headers({ 'x-should-retry': 'false' });
        throw Object.assign(new CircuitBreakerOpenError('far', 1_000), { headers });
      }
    }
    @Controller()
    @UseGuards(Forwarding)
    class Shop {
      @Get('shop')
      get(): string {
        return 'unreachable';
      }
    }
    @Module({ controllers: [Shop] })
    class Shopping {}
    const { headers, status } = await (await serve([Shopping])).call('/shop');
    expect(status).toBe(503);
    expect(headers['x-should-retry']).toBe('false');
  });
});

describe.each([EXPRESS, FASTIFY])('A GraphQL guard on $name', (platform) => {
  @Resolver()
  class Shop {
    @Query(() => String, { nullable: true })
    @UseGuards(Guard)
    guarded(): string {
      return 'unreachable';
    }
    @Query(() => String, { nullable: true })
    @UseFilters(CatchOpenOfGraphQL)
    @UseGuards(Guard)
    filtered(): string {
      return 'unreachable';
    }
  }

  async function serve(options: ResilienceModuleOptions = {}, providers: Provider[] = []) {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      graphiql: false,
      includeStacktraceInErrorResponses: false,
    });
    const { app } = await listen(
      platform,
      { imports: [graphql], providers: [Shop, Vault, ...providers] },
      { ...OPTIONS, ...options },
    );
    app.get(CircuitBreakerRegistry).get('secret').forceOpen();
    void app.get(BulkheadRegistry).get('secret').execute(never);
    const url = `${await app.getUrl()}/graphql`;
    return async (field: string) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: `{ ${field} }` }),
      });
      const { errors } = (await response.json()) as {
        errors: { message: string; extensions: { code: string } }[];
      };
      return errors.map(({ message, extensions }) => [message, extensions.code]);
    };
  }

  it('tells its resilience errors as a resolver does', async () => {
    const ask = await serve();
    for (const refusal of REFUSALS) {
      Vault.refusal = refusal;
      const { message, code } = ANSWERS[refusal].body;
      expect(await ask('guarded')).toEqual([[message, code]]);
    }
  });

  it('leaves them to the filters of the application', async () => {
    Vault.refusal = 'open';
    expect(await (await serve())('filtered')).toEqual([['caught', 'INTERNAL_SERVER_ERROR']]);
  });

  it.each([
    ['which answers', () => new Error('told otherwise'), 'told otherwise', 'INTERNAL_SERVER_ERROR'],
    ['which only looks on', () => undefined, ANSWERS.open.body.message, 'CIRCUIT_OPEN'],
  ])('is told to a filter for what it becomes, %s', async (_, answer, message, code) => {
    const caught: unknown[] = [];
    @Catch(GraphQLError)
    class CatchGraphQL implements ExceptionFilter {
      catch(error: GraphQLError): unknown {
        caught.push(error.extensions.code);
        return answer();
      }
    }
    Vault.refusal = 'open';
    const ask = await serve({}, [{ provide: APP_FILTER, useClass: CatchGraphQL }]);
    expect(await ask('guarded')).toEqual([[message, code]]);
    expect(caught).toEqual(['CIRCUIT_OPEN']);
  });

  it('leaves them as they are with mapErrors: false', async () => {
    Vault.refusal = 'timeout';
    expect(await (await serve({ mapErrors: false }))('guarded')).toEqual([
      ['Operation timed out after 5 ms', 'INTERNAL_SERVER_ERROR'],
    ]);
  });
});

it('A call that comes in a way of its own, such as that of a bot, is told errors as they are', async () => {
  @Injectable()
  class Bot {
    constructor(private readonly vault: Vault) {}
    answer(): Promise<boolean> {
      return this.vault.open();
    }
  }
  const { app } = await listen(EXPRESS, { providers: [Bot, Vault] }, OPTIONS);
  app.get(CircuitBreakerRegistry).get('secret').forceOpen();
  const bot = app.get(Bot);
  const ask = app
    .get(ExternalContextCreator)
    .create(
      bot,
      bot.answer,
      'answer',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'bot',
    );
  await expect(ask()).rejects.toBeInstanceOf(CircuitBreakerOpenError);
});
