import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  type CriticalAlert,
  ErrorTracker,
  type ErrorTrackerOptions,
  ResilienceModule,
  ResilienceService,
} from '../../lib/index.js';

const context = { service: 'Shop', operation: 'Shop.pay' };

/** What the tracker keeps of metadata. */
function kept(metadata: Record<string, unknown>, options: ErrorTrackerOptions = {}) {
  const tracker = new ErrorTracker({ log: false, ...options });
  tracker.track(new Error('down'), { ...context, metadata });
  return tracker.getRecentErrors()[0]?.context.metadata;
}

/** What the tracker keeps of a message. */
function told(message: string, options: ErrorTrackerOptions = {}) {
  const tracker = new ErrorTracker({ log: false, ...options });
  tracker.track(new Error(message), context);
  return tracker.getRecentErrors()[0]?.message;
}

describe('Metadata', () => {
  class Money {
    constructor(private readonly cents: number) {}
    toJSON() {
      return { euros: this.cents / 100, apiKey: 'k-1' };
    }
  }
  class Order {
    readonly id = 'o-1';
    readonly password = 'hunter2';
  }

  it.each<[string, unknown, unknown]>([
    ['a Date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an invalid Date', new Date(Number.NaN), 'Invalid Date'],
    ['a Set', new Set(['a', 'b']), ['a', 'b']],
    [
      'a Map',
      new Map<unknown, unknown>([
        ['shop', 'eu'],
        ['jwt', 'x'],
        [1, 2],
      ]),
      { shop: 'eu', jwt: '[redacted]', 1: 2 },
    ],
    ['an Error', new TypeError('no'), 'TypeError: no'],
    ['an Error with a secret', new Error('GET https://a:b@c/'), 'Error: GET https://[redacted]@c/'],
    [
      'a URL',
      new URL('https://u:p@shop/?token=t&page=2'),
      'https://[redacted]@shop/?token=[redacted]&page=2',
    ],
    [
      'query parameters',
      new URLSearchParams('page=2&api_key=k'),
      { page: '2', api_key: '[redacted]' },
    ],
    [
      'Headers',
      new Headers({ accept: '*/*', Authorization: 'Bearer x' }),
      { accept: '*/*', authorization: '[redacted]' },
    ],
    ['an instance with toJSON', new Money(150), { euros: 1.5, apiKey: '[redacted]' }],
    ['an instance of a class', new Order(), { id: 'o-1', password: '[redacted]' }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['a RegExp', /a+/g, '/a+/g'],
    ['a bigint', 12n, '12n'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a function', () => 1, '[function]'],
    ['a Promise', Promise.resolve(1), '[Promise]'],
    ['a boxed string', Object('boxed'), 'boxed'],
    ['a Buffer', Buffer.alloc(1_048_576), 'Buffer(1048576 bytes)'],
    ['a typed array', new Float64Array(4), 'Float64Array(32 bytes)'],
    ['an ArrayBuffer', new ArrayBuffer(5), 'ArrayBuffer(5 bytes)'],
    ['a Blob', new Blob(['abc']), 'Blob(3 bytes)'],
    [
      'a Request',
      new Request('https://shop/?token=t', { method: 'POST' }),
      'Request(POST https://shop/?token=[redacted])',
    ],
    ['a Response', new Response(null, { status: 503 }), 'Response(503)'],
    ['null', null, null],
    ['a string with a token', 'Bearer abc.def', 'Bearer [redacted]'],
    ['a pair of a header', ['Authorization', 'x'], ['Authorization', '[redacted]']],
    ['raw headers', ['Host', 'shop', 'Cookie', 'a=b'], ['Host', 'shop', 'Cookie', '[redacted]']],
    [
      'entries of headers',
      [
        ['host', 'shop'],
        ['x-api-key', 'k'],
      ],
      [
        ['host', 'shop'],
        ['x-api-key', '[redacted]'],
      ],
    ],
    [
      'headers as objects',
      [{ name: 'cookie', value: 'a' }],
      [{ name: 'cookie', value: '[redacted]' }],
    ],
    ['whether there is a secret', { password: null, token: true }, { password: null, token: true }],
  ])('tells %s readably, and masks the secrets in it', (_what, value, expected) => {
    expect(kept({ value })).toEqual({ value: expected });
  });

  it('tells what throws when it is looked at as unreadable, and the rest as it is', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const value = {
      proxy,
      shop: 'eu',
      get lazy() {
        throw new Error('not loaded');
      },
    };
    expect(kept({ value })).toEqual({
      value: { proxy: '[unreadable]', shop: 'eu', lazy: '[unreadable]' },
    });
  });

  it.each([
    'auth',
    'pwd',
    'bearer',
    'jwt',
    'sessionId',
    'session_id',
    'PHPSESSID',
    'connect.sid',
    'pin',
    'pinCode',
    'userPIN',
    'ssn',
    'cvv',
    'cvv2',
    'apiKey',
    'API_KEYS',
    'x-api-key',
    'apikey',
    'privateKey',
    'accessToken',
    'accesstoken',
    'Set-Cookie',
    'proxy-authorization',
    'X-Auth-Token',
    'passwordHash',
    'dbPass',
    'clientSecret',
    'AccountKey',
    'credentials',
    'otp',
  ])('masks what is called %s', (name) => {
    expect(kept({ [name]: 'hunter2' })).toEqual({ [name]: '[redacted]' });
    expect(kept({ deep: [{ [name]: { of: 'hunter2' } }] })).toEqual({
      deep: [{ [name]: '[redacted]' }],
    });
  });

  it.each([
    'author',
    'authority',
    'spinning',
    'pinned',
    'compass',
    'passRate',
    'passenger',
    'bypass',
    'sidebar',
    'tokenizer',
    'secretary',
    'cookieless',
    'keyboard',
    'primaryKey',
    'monkey',
    'shipping',
    'classname',
  ])('does not mask what is called %s', (name) => {
    expect(kept({ [name]: 'plain' })).toEqual({ [name]: 'plain' });
  });

  it('is bounded where objects refer to each other, to themselves, or are very large', () => {
    const knot: Record<string, unknown>[] = Array.from({ length: 30 }, () => ({}));
    for (const each of knot) for (const [index, other] of knot.entries()) each[`k${index}`] = other;
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(kept({ circle })).toEqual({ circle: { self: '[circular]' } });
    const large = {
      knot,
      list: Array.from({ length: 100_000 }, (_, n) => n),
      texts: Array.from({ length: 100 }, () => 'x'.repeat(100_000)),
      map: new Map(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, n])),
      buffer: Buffer.alloc(1_048_576),
    };
    for (const [name, value] of Object.entries(large))
      expect(JSON.stringify(kept({ [name]: value })).length).toBeLessThan(60_000);
    expect(JSON.stringify(kept(large)).length).toBeLessThan(60_000);
    expect((kept({ list: large.list }) as { list: unknown[] }).list.at(-1)).toBe('… 99900 more');
  });

  it('has of a huge number its first digits', () => {
    expect(String(kept({ n: 10n ** 50_000n })?.n)).toHaveLength(2_048);
  });

  it('is no deeper than five levels', () => {
    const deep = { a: { b: { c: { d: { e: { f: 1 } } } } } };
    expect(kept(deep)).toEqual({ a: { b: { c: { d: { e: '[too deep]' } } } } });
  });

  it('is not left out of redaction by another name in the context', () => {
    const tracker = new ErrorTracker({ log: false });
    tracker.track(new Error('x'), { ...context, authorization: 'hunter2' } as typeof context);
    expect(JSON.stringify(tracker.getRecentErrors())).not.toContain('hunter2');
  });
});

describe('Whom a call was for, which its request may have said', () => {
  it.each(['userId', 'requestId'])('is a %s that is bounded, masked and can be logged', (id) => {
    const tracker = new ErrorTracker({ log: false });
    const told = (value: unknown) => {
      tracker.track(new Error('x'), { ...context, [id]: value });
      return tracker.getRecentErrors()[0]?.context[id as 'userId'];
    };
    expect(told('42')).toBe('42');
    expect(told('?token=hunter2&a=1')).toBe('?token=[redacted]&a=1');
    expect(told('x'.repeat(1_000_000))).toHaveLength(2_048);
    expect(told(['one header', 'twice'])).toEqual(['one header', 'twice']);
    expect(told(42)).toBe(42);
    expect(told(undefined)).toBeUndefined();
  });
});

describe('Messages of errors', () => {
  it.each([
    [
      'connect postgres://app:hunter2@db:5432/shop failed',
      'connect postgres://[redacted]@db:5432/shop failed',
    ],
    ['redis://:hunter2@cache', 'redis://[redacted]@cache'],
    ['amqp://app:hun@ter2@queue/v', 'amqp://[redacted]@queue/v'],
    ['mysql://app:hun/ter2@db/shop', 'mysql://[redacted]@db/shop'],
    [
      'GET https://shop/a?token=hunter2&page=2#x 500',
      'GET https://shop/a?token=[redacted]&page=2#x 500',
    ],
    ['GET /a?page=2&api_key=hunter2', 'GET /a?page=2&api_key=[redacted]'],
    ['url=https://shop/?access_token=hunter2', 'url=https://shop/?access_token=[redacted]'],
    ['X-Amz-Signature=hunter2&x=1', 'X-Amz-Signature=[redacted]&x=1'],
    ['Authorization: Bearer hunter2', 'Authorization: [redacted]'],
    ['bad header "Bearer hunter2.x-y"', 'bad header "Bearer [redacted]"'],
    ['sent Basic aHVudGVyMg==', 'sent Basic [redacted]'],
    ['Cookie: a=hunter2; b=c', 'Cookie: [redacted]'],
    ['body {"password":"hun\\"ter2","a":1}', 'body {"password":"[redacted]","a":1}'],
    ["{ password: 'hunter2', a: 1 }", "{ password: '[redacted]', a: 1 }"],
    ['Server=db;Password=hunter2;Timeout=3', 'Server=db;Password=[redacted];Timeout=3'],
    ['key sk-proj-abcdefgh12345678 is wrong', 'key [redacted] is wrong'],
    ['sk_live_abcdefgh12345678', '[redacted]'],
    ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[redacted]'],
    ['AKIAIOSFODNN7EXAMPLE denied', '[redacted] denied'],
    ['xoxb-123456789012-abcdef', '[redacted]'],
    ['vault hvs.CAESIJ0123456789abc says no', 'vault [redacted] says no'],
    ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD is wrong', '[redacted] is wrong'],
    ['dop_v1_0123456789abcdef0123456789', '[redacted]'],
    ['invalid eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!', 'invalid [redacted]!'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- bad', '[redacted] bad'],
  ])('lose the secrets of %j', (message, expected) => {
    expect(told(message)).toBe(expected);
  });

  it.each([
    'Circuit breaker "payments" is open',
    'connect ECONNREFUSED 127.0.0.1:5432',
    'GET https://shop.example:8080/orders/1?page=2 500',
    'Unexpected token < in JSON at position 0',
    'token: expired',
    'Bearer token is missing',
    'Basic authentication failed',
    'author=Ann, compass: north, spinning=3',
    'user ann@example.com is unknown',
    'https://registry.example:4873/npm/@scope/name',
    'the risk-averse task-runner',
  ])('that have none stay as they are: %j', (message) => {
    expect(told(message)).toBe(message);
  });

  it('are cut before they are masked, and a secret that is cut is masked too', () => {
    const cut = told(`${'x'.repeat(1_990)} postgres://app:hunter2${'2'.repeat(100)}@db`);
    expect(cut).not.toContain('hunter2');
    expect(cut?.length).toBeLessThanOrEqual(2_060);
    expect(told('x'.repeat(10_000_000))?.length).toBe(2_048);
  });

  it('have the last word said by redactMessage, the causes and the stack too', () => {
    const records: Record<string, unknown>[] = [];
    const write = (record: unknown) => void records.push(record as Record<string, unknown>);
    const logger = { log: write, warn: write, error: write };
    Logger.overrideLogger(logger);
    const redactMessage = (message: string) => message.replaceAll('4242', '****');
    const tracker = new ErrorTracker({ redactMessage, includeStack: true });
    const cause = new Error('card 4242 is declined, token=hunter2');
    tracker.track(new Error('no 4242', { cause }), context);
    Logger.overrideLogger(true);
    expect(tracker.getRecentErrors()[0]).toMatchObject({
      message: 'no ****',
      cause: { type: 'Error', message: 'card **** is declined, token=[redacted]' },
    });
    expect(records[0]).toMatchObject({ error_message: 'no ****' });
    expect(JSON.stringify(records)).toContain('redaction.test');
    expect(JSON.stringify(records)).not.toMatch(/4242|hunter2/);
  });

  it('are masked as a whole where redactMessage throws or answers with something else', () => {
    Logger.overrideLogger(false);
    const fail = () => {
      throw new Error('broken');
    };
    expect(told('secret', { redactMessage: fail })).toBe('[redacted]');
    expect(told('secret', { redactMessage: (() => 1) as never })).toBe('[redacted]');
    Logger.overrideLogger(true);
  });

  it('take time that grows with their length alone, whatever they are made of', () => {
    const pieces = [
      'eyJ-',
      '://a:b',
      'a.',
      'token=',
      "'",
      '\\"',
      'sk-',
      '-----BEGIN PRIVATE KEY-----',
      'Bearer ',
      '@',
      'a=',
      ' ',
    ];
    for (const piece of pieces) {
      const message = piece.repeat(2_048 / piece.length);
      for (let again = 0; again < 20; again++) told(message);
    }
  });

  it('reach alerts without their secrets, and the alert names the cause', async () => {
    const alerts: [string, CriticalAlert][] = [];
    const channel = {
      sendCritical: (text: string, alert: CriticalAlert) => void alerts.push([text, alert]),
    };
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ alerts: channel, errorTracker: { log: false } })],
    }).compile();
    await module.init();
    const cause = new Error('connect http://app:hunter2@bank failed');
    const pipeline = module.get(ResilienceService).pipeline({ name: 'pay', critical: true });
    const call = pipeline.execute(() => Promise.reject(new Error('fetch failed', { cause })));
    await expect(call).rejects.toThrow('fetch failed');
    await module.close();
    expect(alerts).toEqual([
      [
        'Critical operation pay failed: Error: fetch failed (cause: Error: connect http://[redacted]@bank failed)',
        expect.objectContaining({
          type: 'Error',
          message: 'fetch failed',
          cause: { type: 'Error', message: 'connect http://[redacted]@bank failed' },
        }),
      ],
    ]);
  });
});
