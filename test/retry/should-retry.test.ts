import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { BadGatewayException } from '@nestjs/common';
import { forbidsRetry } from '../../lib/errors/retry-after.js';
import { HttpResponseError, type RetryOptions } from '../../lib/index.js';
import { RetryPolicy } from '../../lib/retry/retry.policy.js';
import { delayAfter as delayOf, failed } from './support.js';

/** @returns the wait before the second attempt; `undefined` where there is none */
function delayAfter(error: unknown, options: RetryOptions = {}): number | undefined {
  const policy = new RetryPolicy({ jitter: 'none', baseDelayMs: 100, ...options });
  return delayOf(policy, failed(error));
}

/** As axios has them: names in any case, behind a `get`. */
class AxiosHeaders {
  constructor(private readonly values: Record<string, string>) {}
  get(name: string): string | undefined {
    return this.values[name.toLowerCase()];
  }
}

const ofResponse = (headers: unknown) =>
  Object.assign(new Error('Request failed'), { response: { status: 503, headers } });
const withHeaders = (headers: unknown) => Object.assign(new Error('Request failed'), { headers });

/** Errors of the usual clients, made of what the header says. */
const CLIENTS: [string, (said: string) => unknown][] = [
  [
    'resilientFetch',
    (said) => new HttpResponseError(new Response('', { headers: { 'X-Should-Retry': said } }), ''),
  ],
  ['a wrapper of fetch', (said) => ofResponse(new Headers({ 'x-should-retry': said }))],
  ['undici', (said) => withHeaders({ 'x-should-retry': said })],
  ['undici, with a raw list', (said) => withHeaders(['a', 'b', 'X-Should-Retry', said])],
  [
    'undici, with a list of buffers',
    (said) => withHeaders(['a', 'b', 'X-Should-Retry', said].map((text) => Buffer.from(text))),
  ],
  ['axios', (said) => ofResponse(new AxiosHeaders({ 'x-should-retry': said }))],
  ["Nest's HttpService", (said) => ofResponse({ 'x-should-retry': said })],
  [
    'axios, wrapped in an HttpException',
    (said) =>
      new BadGatewayException('no answer', {
        cause: ofResponse(new AxiosHeaders({ 'x-should-retry': said })),
      }),
  ],
];

describe('x-should-retry: false', () => {
  it.each(CLIENTS)('is not retried in an error of %s', (_what, errorSaying) => {
    expect(forbidsRetry(errorSaying('false'))).toBe(true);
    expect(delayAfter(errorSaying('false'))).toBeUndefined();
    expect(delayAfter(errorSaying(' FALSE '))).toBeUndefined();
    for (const said of ['true', '', '0', 'no', 'falsetto']) {
      expect(forbidsRetry(errorSaying(said))).toBe(false);
      expect(delayAfter(errorSaying(said))).toBe(100);
    }
  });

  it.each(CLIENTS)('of %s is ignored with respectRetryAfter: false', (_what, errorSaying) => {
    expect(delayAfter(errorSaying('false'), { respectRetryAfter: false })).toBe(100);
  });

  it('is stronger than retryableErrors', () => {
    const error = ofResponse({ 'x-should-retry': 'false' });
    expect(delayAfter(error, { retryableErrors: () => true })).toBeUndefined();
  });

  it('is found among the errors of an AggregateError', () => {
    const errors = [new Error('down'), ofResponse({ 'x-should-retry': 'false' })];
    expect(forbidsRetry(new AggregateError(errors))).toBe(true);
  });

  it.each([
    undefined,
    null,
    'false',
    5,
    {},
    new Error('down'),
    { headers: 'x-should-retry: false' },
  ])('is not said by %p', (error) => {
    expect(forbidsRetry(error)).toBe(false);
  });

  it('is not said by an error that cannot be read', () => {
    const unreadable = {
      get headers() {
        throw new Error('closed');
      },
    };
    expect(forbidsRetry(unreadable)).toBe(false);
    expect(delayAfter(unreadable)).toBe(100);
  });
});

describe('grpc-retry-pushback-ms', () => {
  function serviceError(pushback?: string): unknown {
    const metadata = new Metadata();
    if (pushback !== undefined) metadata.set('grpc-retry-pushback-ms', pushback);
    return Object.assign(new Error('14 UNAVAILABLE'), {
      code: 14,
      details: 'UNAVAILABLE',
      metadata,
    });
  }

  it.each(['-1', '-500', 'later', '1.5', ' '])('of %p is not retried', (pushback) => {
    expect(forbidsRetry(serviceError(pushback))).toBe(true);
    expect(delayAfter(serviceError(pushback))).toBeUndefined();
    expect(delayAfter(serviceError(pushback), { respectRetryAfter: false })).toBe(100);
  });

  it('waits at least so long, and not at all for longer than maxDelayMs', () => {
    expect(delayAfter(serviceError('2000'))).toBe(2_000);
    expect(delayAfter(serviceError('0'))).toBe(100);
    expect(delayAfter(serviceError('5001'))).toBeUndefined();
    expect(delayAfter(serviceError('2000'), { respectRetryAfter: false })).toBe(100);
    expect(forbidsRetry(serviceError('2000'))).toBe(false);
  });

  it('says nothing where it is not there', () => {
    expect(forbidsRetry(serviceError())).toBe(false);
    expect(delayAfter(serviceError())).toBe(100);
  });
});
