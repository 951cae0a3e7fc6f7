import { jest } from '@jest/globals';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { GraphQLModule, Mutation, Query, Resolver } from '@nestjs/graphql';
import { NEVER, type Observable, of } from 'rxjs';
import { ClientScope } from '../../lib/edge/client-scope.js';
import { inboundOf } from '../../lib/edge/inbound.js';
import { resolveInboundOptions } from '../../lib/edge/inbound.options.js';
import { withinDeadline } from '../../lib/edge/within-deadline.js';
import {
  type ChaosOptions,
  CircuitBreaker,
  type CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  currentSignal,
  type InboundOptions,
  outboundHeaders,
  Retry,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, TWICE } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from './adapters.support.js';
import { latch, never, soon } from './waiting.js';

afterEach(closeAll);

interface Answer {
  data?: Record<string, string> | null;
  errors?: { extensions: Record<string, unknown> }[];
}

const ended = { reason: latch<unknown>() };
let runs = 0;

@Resolver()
class Mirror {
  @Query(() => String)
  plain(): string {
    runs++;
    return JSON.stringify(outboundHeaders());
  }
  @Query(() => String)
  @Retry(TWICE)
  async decorated(): Promise<string> {
    return JSON.stringify(outboundHeaders());
  }
  @Query(() => String, { nullable: true })
  async hanging(): Promise<string> {
    const signal = currentSignal();
    signal.addEventListener('abort', () => ended.reason.open(signal.reason));
    return never();
  }
  @Query(() => String, { nullable: true })
  @CircuitBreaker('remote')
  async remote(): Promise<string> {
    return never();
  }
  @Mutation(() => String, { nullable: true })
  async slow(): Promise<string> {
    return never();
  }
  @Mutation(() => String, { nullable: true })
  next(): string {
    runs++;
    return 'done';
  }
}

describe.each([EXPRESS, FASTIFY])('The deadline of a GraphQL request on $name', (platform) => {
  let breaker: CircuitBreakerPolicy;

  beforeEach(() => {
    runs = 0;
  });

  async function serve(inbound: InboundOptions = {}, chaos?: ChaosOptions) {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      graphiql: false,
      includeStacktraceInErrorResponses: false,
    });
    const options = {
      breakers: { remote: { failureThreshold: 1 } },
      inbound: { trustCriticality: true, ...inbound },
      ...(chaos && { chaos }),
    };
    const { app } = await listen(platform, { imports: [graphql], providers: [Mirror] }, options);
    const url = `${await app.getUrl()}/graphql`;
    breaker = app.get(CircuitBreakerRegistry).get('remote');
    return async (query: string, headers: Record<string, string> = {}): Promise<Answer> => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      });
      return (await response.json()) as Answer;
    };
  }

  it('stands beside the chaos that it brings along by a header', async () => {
    const ask = await serve({}, { header: { name: 'x-chaos', allow: () => true } });
    const headers = { 'x-chaos': 'Mirror.decorated=error' };
    expect((await ask('{ decorated }', headers)).errors).toHaveLength(1);
    expect((await ask('{ plain }', headers)).errors).toBeUndefined();
    expect((await ask('{ decorated }')).errors).toBeUndefined();
  });

  it('and its criticality are those of the calls made inside', async () => {
    const ask = await serve();
    for (const field of ['plain', 'decorated']) {
      const { data } = await ask(`{ ${field} }`, {
        'x-request-timeout-ms': '20000',
        'x-request-criticality': 'sheddable',
      });
      const seen = JSON.parse(data?.[field] as string) as Record<string, string>;
      expect(Number(seen['x-request-timeout-ms'])).toBeGreaterThan(10_000);
      expect(Number(seen['x-request-timeout-ms'])).toBeLessThanOrEqual(20_000);
      expect(seen['x-request-criticality']).toBe('sheddable');
      expect(JSON.parse((await ask(`{ ${field} }`)).data?.[field] as string)).toEqual({
        'x-request-attempt': '1',
      });
    }
  });

  it('ends a resolver that hangs', async () => {
    const ask = await serve();
    ended.reason = latch();
    const { data, errors } = await ask('{ hanging }', { 'x-request-timeout-ms': '1000' });
    expect(data).toEqual({ hanging: null });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['TIMEOUT']);
    expect(await soon(ended.reason.opened, 'the end')).toBeInstanceOf(TimeoutError);
  });

  it.each([
    [{}, 'CLOSED'],
    [{ trustDeadline: true }, 'OPEN'],
  ])('teaches a breaker only where it is trusted: %p, %s', async (inbound, state) => {
    const ask = await serve(inbound);
    const { errors } = await ask('{ remote }', { 'x-request-timeout-ms': '1000' });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['TIMEOUT']);
    expect(breaker.getState()).toBe(state);
  });

  it('is one for all resolvers of the request', async () => {
    const ask = await serve();
    const answer = await ask('mutation { slow next }', { 'x-request-timeout-ms': '30' });
    expect(answer.data).toEqual({ slow: null, next: null });
    expect(answer.errors?.map(({ extensions }) => extensions.code)).toEqual(['TIMEOUT', 'TIMEOUT']);
    expect(runs).toBe(0);
  });

  it('of 0 runs none', async () => {
    const ask = await serve();
    const { errors } = await ask('{ plain }', { 'x-request-timeout-ms': '0' });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['TIMEOUT']);
    expect(runs).toBe(0);
  });
});

it('The handshake of a WebSocket brings no deadline for the operations that come over it', () => {
  const headers = { 'x-request-timeout-ms': '5' };
  const inbound = (more: object) =>
    inboundOf(
      new ExecutionContextHost([undefined, {}, { req: { headers: { ...headers, ...more } } }]),
      'graphql',
      resolveInboundOptions(),
    );
  expect(inbound({})).toMatchObject({ timeoutMs: 5 });
  expect(inbound({ upgrade: 'websocket' })).toBeUndefined();
});

it('The deadline of a request has passed for all its resolvers once one has heard of it, however early a timer is', () => {
  jest.useFakeTimers({ doNotFake: ['performance'] }); // the clock stands, as it were: timers come early
  const inbound = {
    expiresAt: performance.now() + 60_000,
    timeoutMs: 60_000,
    trusted: true,
    critical: undefined,
  };
  const connection = {
    isShared: true,
    onEnd: () => undefined,
    isOver: () => false,
    isGone: () => false,
    isCommitted: () => false,
  };
  const resolve = (resolver: Observable<string>) => {
    const seen: unknown[] = [];
    withinDeadline(resolver, new ClientScope(connection, inbound), false).subscribe({
      next: (value) => seen.push(value),
      error: (error) => seen.push(error),
    });
    return seen;
  };
  const slow = resolve(NEVER);
  jest.advanceTimersByTime(60_000);
  expect(slow).toEqual([expect.any(TimeoutError)]);
  expect(resolve(of('done'))).toEqual([expect.any(TimeoutError)]);
  jest.useRealTimers();
});
