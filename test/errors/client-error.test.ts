import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { RpcException } from '@nestjs/microservices';
import { WsException } from '@nestjs/websockets';
import { GraphQLError } from 'graphql';
import { isClientError } from '../../lib/errors/client-error.js';
import { CircuitBreakerPolicy, CircuitState } from '../../lib/index.js';
import { RetryPolicy } from '../../lib/retry/retry.policy.js';
import { failed } from '../retry/support.js';

const CLIENT_CODES = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'UNAUTHENTICATED',
] as const;
const OTHER_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
] as const;

type Code = (typeof CLIENT_CODES | typeof OTHER_CODES)[number];

const errorOf = (message: string, fields: object) => Object.assign(new Error(message), fields);

/** How an answer of each client of gRPC looks, and of what Nest makes of one. */
const GRPC: [string, (code: Code) => unknown][] = [
  [
    '@grpc/grpc-js',
    (code) =>
      errorOf(`${status[code]} ${code}: no`, {
        code: status[code],
        details: 'no',
        metadata: new Metadata(),
      }),
  ],
  [
    'nice-grpc',
    (code) => errorOf(`/shop.Shop/Find ${code}: no`, { code: status[code], details: 'no' }),
  ],
  [
    'Connect',
    (code) => errorOf(`[${code}] no`, { code: status[code], metadata: new Headers(), details: [] }),
  ],
  ['an RpcException', (code) => new RpcException({ code: status[code], message: 'no' })],
];

describe.each(GRPC)('an answer of gRPC, by %s', (_client, answer) => {
  it.each(CLIENT_CODES)('is a client error with %s', (code) => {
    expect(isClientError(answer(code))).toBe(true);
  });

  it.each(OTHER_CODES)('is none with %s', (code) => {
    expect(isClientError(answer(code))).toBe(false);
  });
});

describe('a number as code alone', () => {
  it.each<[string, object]>([
    ['of anything', { code: 5 }],
    ['of an error', errorOf('E5', { code: 5 })],
    ['of a DOMException, whose codes are others', new DOMException('no', 'InvalidCharacterError')],
    ['with details of something else', errorOf('Failed', { code: 5, details: 'NOT_FOUND' })],
    ['with metadata of something else', errorOf('Failed', { code: 5, metadata: { id: 1 } })],
    ['as text', errorOf('5 NOT_FOUND: no', { code: '5', details: 'no', metadata: new Metadata() })],
  ])('%s is no answer of gRPC', (_what, error) => {
    expect(isClientError(error)).toBe(false);
  });
});

describe('an answer of HTTP', () => {
  it.each<[string, (code: number) => object]>([
    ['got', (code) => ({ response: { statusCode: code } })],
    ['axios', (code) => ({ status: code, response: { status: code } })],
    ['superagent', (code) => ({ status: code, response: { status: code, statusCode: code } })],
    ['undici', (code) => ({ statusCode: code })],
    ['an AWS client', (code) => ({ $metadata: { httpStatusCode: code } })],
    ['a client of GraphQL', (code) => ({ extensions: { http: { status: code } } })],
  ])('by %s is one from 400 to 499, unless it pushes back', (_client, fields) => {
    const of = (code: number) => isClientError(errorOf('no', fields(code)));
    expect([400, 401, 403, 404, 409, 410, 422, 499].filter((code) => !of(code))).toEqual([]);
    expect([200, 302, 408, 425, 429, 500, 503].filter(of)).toEqual([]);
  });
});

describe('what other services of an application throw', () => {
  it('is asked of an RpcException or a WsException', () => {
    expect(isClientError(new RpcException({ statusCode: 404, message: 'no' }))).toBe(true);
    expect(isClientError(new WsException({ status: 403 }))).toBe(true);
    expect(isClientError(new RpcException({ statusCode: 503 }))).toBe(false);
    expect(isClientError(new RpcException({ statusCode: 429 }))).toBe(false);
    expect(isClientError(new WsException({ status: 'error', code: 'NOT_FOUND' }))).toBe(false);
    expect(isClientError(new RpcException('404'))).toBe(false);
    const broken = Object.assign(new Error(), { getError: () => JSON.parse('{') });
    expect(isClientError(broken)).toBe(false);
  });

  it.each([
    'BAD_REQUEST',
    'BAD_USER_INPUT',
    'FORBIDDEN',
    'GRAPHQL_PARSE_FAILED',
    'GRAPHQL_VALIDATION_FAILED',
    'UNAUTHENTICATED',
  ])('is one of GraphQL with %s', (code) => {
    expect(isClientError(new GraphQLError('no', { extensions: { code } }))).toBe(true);
    expect(isClientError(errorOf('no', { extensions: { code } }))).toBe(false);
  });

  it.each(['INTERNAL_SERVER_ERROR', 'TIMEOUT', 'MY_OWN'])('is none with %s', (code) => {
    expect(isClientError(new GraphQLError('no', { extensions: { code } }))).toBe(false);
  });
});

describe('the answers of gRPC, where they come by', () => {
  const [, answer] = GRPC[0] as (typeof GRPC)[number];

  it('are not retried, and leave the breaker closed', async () => {
    const policy = new RetryPolicy();
    const breaker = new CircuitBreakerPolicy('shop', { failureThreshold: 1 });
    for (const code of CLIENT_CODES) {
      expect(policy.decide(failed(answer(code)))).toBeUndefined();
      await breaker.execute(async () => Promise.reject(answer(code))).catch(() => undefined);
      expect(breaker.getState()).toBe(CircuitState.CLOSED);
    }
  });

  it.each(OTHER_CODES)('are retried with %s, and teach the breaker', async (code) => {
    const breaker = new CircuitBreakerPolicy('shop', { failureThreshold: 1 });
    expect(new RetryPolicy().decide(failed(answer(code)))).toHaveProperty('delayMs');
    await breaker.execute(async () => Promise.reject(answer(code))).catch(() => undefined);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });
});
