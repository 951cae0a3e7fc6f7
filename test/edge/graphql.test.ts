import { type EventEmitter, once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { runInThisContext } from 'node:vm';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  type CanActivate,
  type INestApplication,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  type Provider,
  Scope,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  Args,
  Context,
  Field,
  GraphQLModule,
  GraphQLSchemaHost,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { parse, subscribe } from 'graphql';
import { catchError, Observable, throwError } from 'rxjs';
import {
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerRegistry,
  Critical,
  currentSignal,
  ErrorTracker,
  Fallback,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Signal,
  Timeout,
} from '../../lib/index.js';
import { closeAll, RecordingLogger, resilienceModule, TWICE, track } from '../binding/support.js';
import { gathering, latch, never, soon } from './waiting.js';

afterEach(closeAll);

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

interface Served {
  app: INestApplication;
  logger: RecordingLogger;
  url: string;
  ask(query: string): Promise<Answer>;
}

interface Setting {
  options?: ResilienceModuleOptions;
  graphql?: Omit<ApolloDriverConfig, 'driver'>;
  platform?: 'express' | 'fastify' | 'fastify over HTTP/2';
}

const adapterOf = (platform: string) =>
  new FastifyAdapter(platform === 'fastify' ? {} : ({ http2: true } as object));

/** Boots an application that answers GraphQL on a real socket. */
async function serve(
  providers: Provider[],
  { options = {}, graphql = {}, platform = 'express' }: Setting = {},
): Promise<Served> {
  const logger = new RecordingLogger();
  const module = await Test.createTestingModule({
    imports: [
      resilienceModule(options),
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        graphiql: false,
        includeStacktraceInErrorResponses: false, // as in production
        ...graphql,
      }),
    ],
    providers,
  })
    .setLogger(logger)
    .compile();
  const app: INestApplication = track(
    platform === 'express'
      ? module.createNestApplication({ logger })
      : module.createNestApplication(adapterOf(platform), { logger }),
  );
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/graphql`;
  return {
    app,
    logger,
    url,
    async ask(query) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      return (await response.json()) as Answer;
    },
  };
}

/** Asks, and gives what makes the client leave. */
function askAndLeave(url: string, query: string): () => void {
  const request = httpRequest(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  });
  request.on('error', () => undefined);
  request.end(JSON.stringify({ query }));
  return () => {
    request.destroy();
  };
}

/** The same over a connection of HTTP/2, which outlives its requests. */
function overHttp2(url: string): (query: string) => () => void {
  const session = connectHttp2(new URL(url).origin);
  session.on('error', () => undefined);
  track({ close: async () => session.destroy() });
  const headers = { ':path': '/graphql', ':method': 'POST', 'content-type': 'application/json' };
  return (query) => {
    const stream = session.request(headers);
    stream.on('error', () => undefined);
    stream.end(JSON.stringify({ query }));
    return () => stream.close();
  };
}

const SECRETS: ResilienceModuleOptions = {
  breakers: { secret: {} },
  bulkheads: { secret: { maxConcurrent: 1, queueLimit: 0 } },
};

/** Makes the breaker and the bulkhead of `SECRETS` refuse. */
function refuse({ app }: Served): void {
  app.get(CircuitBreakerRegistry).get('secret').forceOpen();
  void app.get(BulkheadRegistry).get('secret').execute(never);
}

type Refusal = 'timeout' | 'open' | 'full';
const CODES: Record<Refusal, string> = {
  timeout: 'TIMEOUT',
  open: 'CIRCUIT_OPEN',
  full: 'BULKHEAD_FULL',
};
const REFUSALS = Object.keys(CODES) as Refusal[];
const INSIDE = /secret|vault|timeout|\d|ms|breaker|circuit|bulkhead/i;

@Injectable()
class Vault {
  @Timeout(5)
  async timeout(): Promise<string> {
    return never();
  }
  @CircuitBreaker('secret')
  async open(): Promise<string> {
    return 'unreachable';
  }
  @Bulkhead('secret')
  async full(): Promise<string> {
    return 'unreachable';
  }
}

@ObjectType()
class Safe {
  @Field()
  id!: string;
}

@Resolver(() => Safe)
class Safes {
  constructor(private readonly vault: Vault) {}

  @Query(() => Safe)
  safe(): Safe {
    return { id: 'a' };
  }
  @Query(() => String, { nullable: true })
  async queryOfService(@Args('refusal') refusal: string): Promise<string> {
    return this.vault[refusal as Refusal]();
  }
  @Mutation(() => String, { nullable: true })
  async mutationOfService(@Args('refusal') refusal: string): Promise<string> {
    return this.vault[refusal as Refusal]();
  }

  @Query(() => String, { nullable: true })
  @Timeout(5)
  async timeout(): Promise<string> {
    return never();
  }
  @Query(() => String, { nullable: true })
  @CircuitBreaker('secret')
  async open(): Promise<string> {
    return 'unreachable';
  }
  @Bulkhead('secret')
  @Query(() => String, { nullable: true }) // in whatever order
  async full(): Promise<string> {
    return 'unreachable';
  }

  @ResolveField(() => String, { nullable: true, name: 'timeout' })
  @Timeout(5)
  async timeoutOf(): Promise<string> {
    return never(); // without parameters Nest calls it by a shortcut
  }
  @ResolveField(() => String, { nullable: true, name: 'open' })
  @CircuitBreaker('secret')
  async openOf(@Parent() safe: Safe): Promise<string> {
    return safe.id;
  }
  @Bulkhead('secret')
  @ResolveField(() => String, { nullable: true, name: 'full' })
  async fullOf(@Parent() safe: Safe): Promise<string> {
    return safe.id;
  }
}

describe.each(['express', 'fastify'] as const)('Resilience errors on %s', (platform) => {
  it.each([
    ['a decorated query', (refusal: Refusal) => `{ ${refusal} }`],
    [
      'a query whose service fails',
      (refusal: Refusal) => `{ queryOfService(refusal: "${refusal}") }`,
    ],
    [
      'a mutation whose service fails',
      (refusal: Refusal) => `mutation { mutationOfService(refusal: "${refusal}") }`,
    ],
    ['a decorated field', (refusal: Refusal) => `{ safe { id ${refusal} } }`],
  ])('leave %s as a GraphQLError with a code, and tell nothing of the inside', async (_, query) => {
    const served = await serve([Safes, Vault], { options: SECRETS, platform });
    refuse(served);
    for (const refusal of REFUSALS) {
      const { errors } = await served.ask(query(refusal));
      expect(errors).toHaveLength(1);
      expect(errors?.[0]?.extensions).toEqual({ code: CODES[refusal] });
      expect(errors?.[0]?.message).toMatch(/\w+ \w+/);
      expect(errors?.[0]?.message).not.toMatch(INSIDE);
    }
  });
});

describe('Resilience errors', () => {
  it('of one field leave the other fields of the answer alone', async () => {
    const served = await serve([Safes, Vault], { options: SECRETS });
    const { data, errors } = await served.ask('{ safe { id timeout } }');
    expect(data).toEqual({ safe: { id: 'a', timeout: null } });
    expect(errors).toMatchObject([{ path: ['safe', 'timeout'] }]);
  });

  it('pass through untouched with mapErrors: false', async () => {
    const served = await serve([Safes, Vault], { options: { ...SECRETS, mapErrors: false } });
    for (const query of [
      '{ timeout }',
      '{ queryOfService(refusal: "timeout") }',
      '{ safe { timeout } }',
    ]) {
      const { errors } = await served.ask(query);
      expect(errors).toMatchObject([
        {
          message: 'Operation timed out after 5 ms',
          extensions: { code: 'INTERNAL_SERVER_ERROR' },
        },
      ]);
    }
  });

  it('leave undecorated fields with a code where the interceptors are enabled for fields', async () => {
    @Resolver(() => Safe)
    class Plain {
      constructor(private readonly vault: Vault) {}
      @Query(() => Safe)
      safe(): Safe {
        return { id: 'a' };
      }
      @ResolveField(() => String, { nullable: true })
      async plain(): Promise<string> {
        return this.vault.timeout();
      }
    }
    const graphql = { fieldResolverEnhancers: ['interceptors' as const] };
    const served = await serve([Plain, Vault], { options: SECRETS, graphql });
    const { errors } = await served.ask('{ safe { plain } }');
    expect(errors).toMatchObject([{ extensions: { code: 'TIMEOUT' } }]);
  });

  it('leave a decorated guard with a code', async () => {
    @Injectable()
    class SlowGuard implements CanActivate {
      @Timeout(5)
      async canActivate(): Promise<boolean> {
        return never();
      }
    }
    @Resolver()
    class Guarded {
      @Query(() => String, { nullable: true })
      @UseGuards(SlowGuard)
      async guarded(): Promise<string> {
        return 'unreachable';
      }
    }
    const served = await serve([Guarded]);
    const { errors } = await served.ask('{ guarded }');
    expect(errors?.[0]?.extensions).toEqual({ code: 'TIMEOUT' });
    expect(errors?.[0]?.message).not.toMatch(INSIDE);
  });

  it('leave an Observable resolver with a code', async () => {
    @Resolver()
    class Streams {
      @Query(() => String, { nullable: true })
      @Timeout(5)
      late(): Observable<string> {
        return new Observable(() => undefined);
      }
      @Query(() => String, { nullable: true })
      @Timeout(60_000)
      early(): Observable<string> {
        return new Observable((subscriber) => {
          subscriber.next('early');
          subscriber.complete();
        });
      }
    }
    const served = await serve([Streams]);
    const { data, errors } = await served.ask('{ early late }');
    expect(data).toEqual({ early: 'early', late: null });
    expect(errors).toMatchObject([{ path: ['late'], extensions: { code: 'TIMEOUT' } }]);
  });
});

describe('Other errors', () => {
  it('leave decorated resolvers and fields unchanged', async () => {
    @Resolver(() => Safe)
    class Failing {
      @Query(() => Safe)
      safe(): Safe {
        return { id: 'a' };
      }
      @Query(() => String, { nullable: true })
      @Timeout(60_000)
      async missing(): Promise<string> {
        throw new NotFoundException('no such thing');
      }
      @ResolveField(() => String, { nullable: true })
      @Timeout(60_000)
      async broken(): Promise<string> {
        throw new Error('broken');
      }
    }
    const served = await serve([Failing]);
    expect((await served.ask('{ missing }')).errors).toMatchObject([
      { message: 'no such thing', extensions: { status: 404 } },
    ]);
    expect((await served.ask('{ safe { broken } }')).errors).toMatchObject([
      { message: 'broken', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
    const { requests, total } = served.app.get(ErrorTracker).getMetrics();
    expect({ requests, total }).toEqual({ requests: 2, total: 1 }); // a client error is an answer
  });
});

@ObjectType()
class Product {
  @Field()
  id!: string;
}

/** Everything fails, and is counted. */
@Resolver(() => Product)
class Products {
  static calls: string[] = [];

  @Query(() => Product)
  product(): Product {
    return { id: 'p' };
  }
  @Query(() => String, { nullable: true })
  @Retry(TWICE)
  async query(): Promise<string> {
    return this.fail('query');
  }
  @Mutation(() => String, { nullable: true })
  @Retry(TWICE)
  async mutation(): Promise<string> {
    return this.fail('mutation');
  }
  @Retry({ ...TWICE, idempotent: true })
  @Mutation(() => String, { nullable: true })
  async idempotentMutation(): Promise<string> {
    return this.fail('idempotentMutation');
  }
  @ResolveField(() => String, { nullable: true })
  @Retry(TWICE)
  async field(): Promise<string> {
    return this.fail('field');
  }
  @ResolveField(() => String, { nullable: true })
  @Retry({ ...TWICE, idempotent: true })
  async idempotentField(): Promise<string> {
    return this.fail('idempotentField');
  }

  private fail(what: string): never {
    Products.calls.push(what);
    throw new Error('down');
  }
}

describe('@Retry()', () => {
  beforeEach(() => {
    Products.calls = [];
  });

  it.each([
    ['repeats a query', '{ query }', ['query', 'query']],
    ['does not repeat a mutation', 'mutation { mutation }', ['mutation']],
    [
      'repeats a mutation that says idempotent: true',
      'mutation { idempotentMutation }',
      ['idempotentMutation', 'idempotentMutation'],
    ],
    ['repeats a field in a query', '{ product { field } }', ['field', 'field']],
    [
      'repeats a field that says idempotent: true',
      '{ product { idempotentField } }',
      ['idempotentField', 'idempotentField'],
    ],
  ])('%s', async (_, query, calls) => {
    const served = await serve([Products]);
    expect((await served.ask(query)).errors).toMatchObject([{ message: 'down' }]);
    expect(Products.calls).toEqual(calls);
  });

  it('warns at boot where it is inactive, and only there', async () => {
    const { app, logger } = await serve([Products]);
    const warnings = logger.messages('warn', 'ResilienceModule');
    expect(warnings).toEqual([
      expect.stringMatching(/^Products\.mutation: .*@Retry.*inactive.*idempotent/),
    ]);
    const retried = app
      .get(ResilienceService)
      .describe()
      .filter(({ stages }) => stages.retry !== undefined)
      .map(({ operation, kind }) => `${kind} ${operation}`);
    expect(retried.sort()).toEqual([
      'handler Products.field',
      'handler Products.idempotentField',
      'handler Products.idempotentMutation',
      'handler Products.query',
    ]);
  });

  it('repeats on a request-scoped resolver', async () => {
    let calls = 0;
    @Injectable({ scope: Scope.REQUEST })
    @Resolver()
    class Scoped {
      private attempts = 0;
      @Query(() => Int)
      @Retry(TWICE)
      async scoped(): Promise<number> {
        calls++;
        if (++this.attempts === 1) throw new Error('down');
        return this.attempts;
      }
    }
    const served = await serve([Scoped]);
    expect(await served.ask('{ scoped }')).toEqual({ data: { scoped: 2 } });
    expect(await served.ask('{ scoped }')).toEqual({ data: { scoped: 2 } });
    expect(calls).toBe(4);
  });
});

@ObjectType()
class Listed {
  @Field()
  id!: string;
}

@ObjectType()
class Optional {
  @Field()
  id!: string;
}

describe('@Fallback() and @Critical()', () => {
  it('answer with the arguments of the resolver, and the error', async () => {
    const seen: unknown[][] = [];
    @Resolver(() => Listed)
    class Lists {
      @Query(() => Listed)
      listed(): Listed {
        return { id: 'p' };
      }
      @Query(() => String)
      @Fallback('instead')
      async query(
        @Args('id') id: string,
        @Args('count', { type: () => Int }) count: number,
      ): Promise<string> {
        throw new Error(`no ${id} of ${count}`);
      }
      @Mutation(() => String)
      @Fallback((error: unknown, id: string) => `${id}: ${(error as Error).message}`)
      async mutation(@Args('id') _id: string): Promise<string> {
        throw new Error('down');
      }
      @ResolveField(() => String)
      @Fallback('insteadOfField')
      async field(@Parent() _listed: Listed, @Args('id') _id: string): Promise<string> {
        throw new Error('down');
      }
      async instead(...args: unknown[]): Promise<string> {
        seen.push(args);
        return 'instead';
      }
      async insteadOfField(listed: Listed, id: string, error: unknown): Promise<string> {
        return `${listed.id} ${id} ${(error as Error).message}`;
      }
    }
    const served = await serve([Lists]);
    expect(await served.ask('{ query(id: "x", count: 3) listed { field(id: "y") } }')).toEqual({
      data: { query: 'instead', listed: { field: 'p y down' } },
    });
    expect(seen).toEqual([['x', 3, expect.objectContaining({ message: 'no x of 3' })]]);
    expect(await served.ask('mutation { mutation(id: "z") }')).toEqual({
      data: { mutation: 'z: down' },
    });
  });

  it('make null of a field that is nice to have', async () => {
    @Resolver(() => Optional)
    class Nice {
      @Query(() => Optional, { nullable: true })
      optional(): Optional {
        return { id: 'p' };
      }
      @Query(() => Optional, { nullable: true })
      @Critical(false)
      async broken(): Promise<Optional> {
        throw new Error('down');
      }
      @ResolveField(() => String, { nullable: true })
      @Critical(false)
      @Timeout(5)
      async nice(): Promise<string> {
        return never();
      }
    }
    const served = await serve([Nice]);
    expect(await served.ask('{ optional { id nice } broken { id } }')).toEqual({
      data: { optional: { id: 'p', nice: null }, broken: null },
    });
    expect(served.app.get(ErrorTracker).getMetrics().total).toBe(2);
  });
});

@ObjectType()
class Whole {
  @Field()
  id!: string;
}

describe('Decorators on a resolver class', () => {
  it('apply to its handlers, and to nothing else', async () => {
    const calls: string[] = [];
    @Retry(TWICE)
    @Timeout(5)
    @Resolver(() => Whole)
    class All {
      @Query(() => Whole, { nullable: true })
      async whole(): Promise<Whole> {
        return { id: await this.helper() };
      }
      @Query(() => String, { nullable: true })
      async failing(): Promise<string> {
        calls.push('failing');
        throw new Error('down');
      }
      @Mutation(() => String, { nullable: true })
      async mutation(): Promise<string> {
        calls.push('mutation');
        throw new Error('down');
      }
      @Mutation(() => String, { nullable: true })
      @Retry({ idempotent: true })
      async idempotent(): Promise<string> {
        calls.push('idempotent');
        throw new Error('down');
      }
      @ResolveField(() => String, { nullable: true })
      async field(): Promise<string> {
        return never();
      }
      async helper(): Promise<string> {
        return 'p';
      }
    }
    const served = await serve([All]);
    const operations = served.app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation).sort()).toEqual(
      ['failing', 'field', 'idempotent', 'mutation', 'whole'].map((key) => `All.${key}`),
    );
    await served.ask('{ failing }');
    await served.ask('mutation { mutation }');
    await served.ask('mutation { idempotent }');
    expect(calls).toEqual(['failing', 'failing', 'mutation', 'idempotent', 'idempotent']);
    const { data, errors } = await served.ask('{ whole { id field } }');
    expect(data).toEqual({ whole: { id: 'p', field: null } });
    expect(errors).toMatchObject([{ path: ['whole', 'field'], extensions: { code: 'TIMEOUT' } }]);
    expect(served.logger.warnings()).toMatch(/All\.mutation: @Retry/);
    expect(served.logger.warnings()).not.toMatch(/All\.(whole|failing|idempotent|field|helper)/);
  });
});

describe('A subscription', () => {
  async function subscribeTo({ app }: Served, field: string): Promise<unknown[]> {
    const { schema } = app.get(GraphQLSchemaHost);
    const document = parse(`subscription { ${field} }`);
    const result = await subscribe({ schema, document, contextValue: {} });
    if (!(Symbol.asyncIterator in result)) return [result];
    const results: unknown[] = [];
    for await (const each of result) results.push(each);
    return results;
  }

  const events = async function* (name: string) {
    yield { [name]: 1 };
    yield { [name]: 2 };
  };

  let calls = 0;

  @Retry(TWICE)
  @Timeout(5)
  @Resolver()
  class Events {
    @Query(() => Int)
    one(): number {
      return 1;
    }
    @Subscription(() => Int)
    async promised(): Promise<AsyncGenerator> {
      return events('promised');
    }
    @Subscription(() => Int)
    plain(): AsyncGenerator {
      return events('plain');
    }
    @Subscription(() => Int)
    async *generated(): AsyncGenerator {
      yield* events('generated');
    }
    @Subscription(() => Int)
    async latePromise(): Promise<AsyncGenerator> {
      calls++;
      return never();
    }
    @Subscription(() => Int)
    async *lateGenerator(): AsyncGenerator {
      calls++;
      yield never();
    }
  }

  it.each(['promised', 'plain', 'generated'])('gives its events (%s)', async (field) => {
    const served = await serve([Events]);
    expect(await soon(subscribeTo(served, field), 'the events')).toEqual([
      { data: { [field]: 1 } },
      { data: { [field]: 2 } },
    ]);
  });

  it.each(['latePromise', 'lateGenerator'])(
    'that does not begin ends with a code, and is not begun again (%s)',
    async (field) => {
      calls = 0;
      const served = await serve([Events]);
      const subscribed = soon(subscribeTo(served, field), 'the end');
      const results = await subscribed.catch((error: unknown) => [{ errors: [error] }]);
      expect(results).toMatchObject([{ errors: [{ extensions: { code: 'TIMEOUT' } }] }]);
      expect(calls).toBe(1);
    },
  );
});

interface WithRequest {
  req: IncomingMessage & { res: ServerResponse };
}

describe('Fifty fields of one request', () => {
  it('share one listener on the response, and none is left to warn of', async () => {
    const warnings: string[] = [];
    const host = runInThisContext('process') as NodeJS.Process; // Jest's is a copy that hears nothing
    const onWarning = ({ name }: Error) => warnings.push(name);
    host.on('warning', onWarning);
    const arrive = gathering(50);
    const counts = new Set<number>();
    const signals: AbortSignal[] = [];
    @Injectable()
    class Remote {
      @Timeout(60_000)
      async load(): Promise<void> {
        signals.push(currentSignal());
        await arrive();
      }
    }
    @Resolver()
    class Many {
      constructor(private readonly remote: Remote) {}
      @Query(() => Int)
      none(@Context() { req }: WithRequest): number {
        return req.res.listenerCount('close');
      }
      @Query(() => Int)
      @Timeout(60_000)
      async decorated(@Context() { req }: WithRequest): Promise<number> {
        return this.load(req.res);
      }
      @Query(() => Int)
      async plain(@Context() { req }: WithRequest): Promise<number> {
        return this.load(req.res);
      }
      private async load(response: ServerResponse): Promise<number> {
        signals.push(currentSignal());
        await this.remote.load();
        counts.add(response.listenerCount('close'));
        return 1;
      }
    }
    try {
      const served = await serve([Many, Remote]);
      const { none } = (await served.ask('{ none }')).data as { none: number };
      const fields = Array.from({ length: 25 }, (_, n) => `a${n}: decorated b${n}: plain`);
      const { errors } = await soon(served.ask(`{ ${fields.join(' ')} }`), 'the answer');
      expect(errors).toBeUndefined();
      expect(new Set(signals).size).toBe(100);
      expect(counts).toEqual(new Set([none + 1]));
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
      expect(signals.some(({ aborted }) => aborted)).toBe(false);
    } finally {
      host.off('warning', onWarning);
    }
  });
});

describe('A client that disconnects', () => {
  const started: { current: ReturnType<typeof latch<AbortSignal>> } = { current: latch() };
  beforeEach(() => {
    started.current = latch();
  });

  const wait = (signal: AbortSignal): Promise<never> => {
    started.current.open(signal);
    return never();
  };

  @Injectable()
  class Remote {
    @Timeout(60_000)
    async load(): Promise<string> {
      return wait(currentSignal());
    }
  }

  @ObjectType()
  class Item {
    @Field()
    id!: string;
  }

  @Resolver(() => Item)
  class Items {
    constructor(private readonly remote: Remote) {}
    @Query(() => Item)
    item(): Item {
      return { id: 'i' };
    }
    @Query(() => String)
    async plain(): Promise<string> {
      return wait(currentSignal());
    }
    @Query(() => String)
    async ofService(): Promise<string> {
      return this.remote.load();
    }
    @Query(() => String)
    @Retry(TWICE)
    async decorated(): Promise<string> {
      return wait(currentSignal());
    }
    @Query(() => String)
    async parameter(@Args('id') id: string, @Signal() signal: AbortSignal): Promise<string> {
      expect(id).toBe('7');
      return wait(signal);
    }
    @Query(() => String)
    @Timeout(60_000)
    async decoratedParameter(
      @Args('id') id: string,
      @Signal() signal: AbortSignal,
    ): Promise<string> {
      expect(id).toBe('7');
      expect(signal).toBe(currentSignal());
      return wait(signal);
    }
    @ResolveField(() => String)
    @Timeout(60_000)
    async field(): Promise<string> {
      return wait(currentSignal());
    }
  }

  const QUERIES = [
    '{ plain }',
    '{ ofService }',
    '{ decorated }',
    '{ parameter(id: "7") }',
    '{ decoratedParameter(id: "7") }',
  ];

  describe.each([
    ['express', {}],
    ['express', { context: ({ req, res }: { req: unknown; res: unknown }) => ({ req, res }) }],
    ['fastify', {}],
    ['fastify', { context: (request: unknown, reply: unknown) => ({ request, reply }) }],
  ] as const)('(%s, %p)', (platform, graphql) => {
    it.each(QUERIES)('aborts the signal of %s', async (query) => {
      const served = await serve([Items, Remote], { platform, graphql });
      const leave = askAndLeave(served.url, query);
      const signal = await soon(started.current.opened, 'the call');
      expect(signal.aborted).toBe(false);
      const aborted = once(signal, 'abort');
      leave();
      await soon(aborted, 'the abort');
      expect(signal.reason).toBeInstanceOf(DOMException);
      expect(signal.reason.name).toBe('AbortError');
      expect(served.app.get(ErrorTracker).getMetrics().total).toBe(0); // nothing failed
    });

    it('aborts no signal when the answer was sent in full', async () => {
      const signals: AbortSignal[] = [];
      @Resolver()
      class Quick {
        @Query(() => String)
        @Timeout(60_000)
        async quick(): Promise<string> {
          signals.push(currentSignal());
          return 'done';
        }
      }
      const served = await serve([Quick], { platform, graphql });
      expect(await served.ask('{ quick }')).toEqual({ data: { quick: 'done' } });
      const closed = new Promise((resolve) => {
        served.app.getHttpServer().once('close', resolve);
      });
      await closeAll(); // and with it every connection
      await closed;
      expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    });
  });

  it('aborts the signal of a query that it gives up over HTTP/2, and of no other', async () => {
    const served = await serve([Items, Remote], { platform: 'fastify over HTTP/2' });
    const ask = overHttp2(served.url);
    const leave = ask('{ plain }');
    const left = await soon(started.current.opened, 'the call');
    started.current = latch();
    ask('{ plain }');
    const stayed = await soon(started.current.opened, 'the call beside it');
    const aborted = once(left, 'abort');
    leave();
    await soon(aborted, 'the abort');
    expect(stayed.aborted).toBe(false);
  });

  it('is listened for no more once a call over HTTP/2 is done', async () => {
    const counts: number[] = [];
    const counted = latch();
    @Resolver()
    class Steps {
      @Query(() => Int)
      unused(): number {
        return 0;
      }
      @Mutation(() => Int)
      count(@Context() { req }: { req: { raw: { stream: EventEmitter } } }): number {
        if (counts.push(req.raw.stream.listenerCount('close')) === 2) counted.open();
        return 0;
      }
      @Mutation(() => Boolean)
      async listen(): Promise<boolean> {
        return currentSignal().aborted;
      }
    }
    const served = await serve([Steps], { platform: 'fastify over HTTP/2' });
    overHttp2(served.url)('mutation { before: count one: listen two: listen after: count }');
    await soon(counted.opened, 'the second count');
    expect(counts[1]).toBe(counts[0]);
  });

  it('aborts the signal of a field where the interceptors are enabled for fields', async () => {
    const graphql = { fieldResolverEnhancers: ['interceptors' as const] };
    const served = await serve([Items, Remote], { graphql });
    const leave = askAndLeave(served.url, '{ item { field } }');
    const signal = await soon(started.current.opened, 'the call');
    const aborted = once(signal, 'abort');
    leave();
    await soon(aborted, 'the abort');
  });

  it.each([
    ['express', askAndLeave],
    ['fastify', askAndLeave],
    ['fastify over HTTP/2', (url: string, query: string) => overHttp2(url)(query)],
  ] as const)('is noticed by calls made only after it has gone, on %s', async (platform, ask) => {
    interface WithAnyRequest {
      req: { res?: EventEmitter; raw?: { stream?: EventEmitter; socket: EventEmitter } };
    }
    const lineOf = ({ res, raw }: WithAnyRequest['req']) =>
      (res ?? raw?.stream ?? raw?.socket) as EventEmitter;
    const gone = latch();
    const ended = latch<{ aborted: boolean; error: unknown; calls: number }>();
    let calls = 0;
    @Injectable()
    class Late {
      @Retry(TWICE)
      async load(): Promise<void> {
        calls++;
      }
    }
    @Resolver()
    class Slow {
      constructor(private readonly late: Late) {}
      @Query(() => String)
      async slow(@Context() { req }: WithAnyRequest): Promise<string> {
        lineOf(req).once('close', () => gone.open());
        started.current.open(new AbortController().signal);
        await gone.opened; // nobody has asked for a signal so far
        const error = await this.late.load().catch((reason: unknown) => reason);
        ended.open({ aborted: currentSignal().aborted, error, calls });
        return 'unheard';
      }
    }
    const served = await serve([Slow, Late], { platform });
    const leave = ask(served.url, '{ slow }');
    await soon(started.current.opened, 'the call');
    leave();
    const end = await soon(ended.opened, 'the end');
    expect(end).toMatchObject({ aborted: true, error: { name: 'AbortError' }, calls: 0 });
  });

  it('ends the retries of a query, and the query is not answered by its fallback', async () => {
    let calls = 0;
    let fallbacks = 0;
    const ended = latch<Error>();
    const ends: NestInterceptor = {
      intercept: (_context, next) =>
        next.handle().pipe(
          catchError((error: Error) => {
            ended.open(error);
            return throwError(() => error);
          }),
        ),
    };
    @Resolver()
    @UseInterceptors(ends)
    class Retried {
      @Query(() => String)
      @Retry({ maxAttempts: 5, baseDelayMs: 60_000, maxDelayMs: 60_000, jitter: 'none' })
      @Fallback(() => {
        fallbacks++;
        return 'instead';
      })
      async retried(): Promise<string> {
        calls++;
        started.current.open(currentSignal());
        throw new Error('down');
      }
    }
    const served = await serve([Retried]);
    const leave = askAndLeave(served.url, '{ retried }');
    await soon(started.current.opened, 'the call');
    leave();
    expect((await soon(ended.opened, 'the end of the call')).name).toBe('AbortError');
    expect([calls, fallbacks]).toEqual([1, 0]);
  });
});
