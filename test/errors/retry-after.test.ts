import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BadGatewayException } from '@nestjs/common';
import fc from 'fast-check';
import { parseHttpDate } from '../../lib/errors/http-date.js';
import { forbidsRetry, retryAfterMs } from '../../lib/errors/retry-after.js';
import { CircuitBreakerOpenError } from '../../lib/index.js';

const saying = (value: unknown, name = 'retry-after') =>
  Object.assign(new Error('503'), { response: { headers: { [name]: value } } });

beforeEach(() => {
  jest.useFakeTimers({ now: Date.UTC(1994, 10, 6, 8, 49, 7) });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('Retry-After, by the grammar of HTTP', () => {
  it.each([
    ['0', 0],
    ['45', 45_000],
    ['045', 45_000],
    [' 45\t', 45_000],
    [' \t 45 \t ', 45_000],
    ['9'.repeat(400), Number.POSITIVE_INFINITY],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 30_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 30_000],
    ['Sun Nov  6 08:49:37 1994', 30_000],
    ['Wed Nov 16 08:49:07 1994', 10 * 86_400_000],
    ['Sun, 06 Nov 1994 08:48:60 GMT', 0],
    ['Sat, 05 Nov 1994 08:49:37 GMT', 0],
  ])('%j is a wait of %d ms', (said, ms) => {
    expect(retryAfterMs(saying(said))).toBe(ms);
  });

  it.each([
    '"45"',
    '45;',
    '45, 5',
    '48.',
    '4.5',
    '-45',
    '+45',
    '1e3',
    '0x10',
    '٤٥',
    '4 5',
    '45s',
    '45 seconds',
    'soon',
    '',
    ' ',
    'Infinity',
    'NaN',
    '1994-11-06',
    '1994-11-06T08:49:37Z',
    '1994-11-06T08:49:37+01:00',
    '11/06/1994',
    'Nov 6, 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 1994 08:49 GMT',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sun, 31 Jun 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sunday, 06-Nov-1994 08:49:37 GMT',
    'Sun, 06-Nov-94 08:49:37 GMT',
    'Sun Nov 6 08:49:37 1994',
    'Sun Nov 06 08:49:37 1994 GMT',
    '"Sun, 06 Nov 1994 08:49:37 GMT"',
    'Sun, 06 Nov 1994 08:49:37 GMT; 5',
    `${' '.repeat(2_000)}5`,
  ])('%j is ignored', (said) => {
    expect(retryAfterMs(saying(said))).toBeUndefined();
    expect(retryAfterMs({ headers: new Map([['retry-after', said]]) })).toBeUndefined();
  });

  it('takes a year of two digits for the one that is no more than 50 years ahead', () => {
    const of = (year: string, today: number) =>
      new Date(parseHttpDate(`Sunday, 06-Nov-${year} 08:49:37 GMT`, Date.UTC(today, 0, 1)) ?? 0);
    expect(of('94', 2026).getUTCFullYear()).toBe(1994);
    expect(of('76', 2026).getUTCFullYear()).toBe(2076);
    expect(of('77', 2026).getUTCFullYear()).toBe(1977);
    expect(of('26', 2026).getUTCFullYear()).toBe(2026);
  });

  it('reads each instant of a thousand years in all the forms that write it', () => {
    const instants = fc.date({
      min: new Date('1900-01-01'),
      max: new Date('2900-01-01'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instants, (instant) => {
        const seconds = Math.floor(instant.getTime() / 1_000) * 1_000;
        const text = new Date(seconds).toUTCString();
        const [, weekday, day, month, year, time] =
          /^(\w+), (\d\d) (\w+) (\d+) (\S+) GMT$/.exec(text) ?? [];
        expect(parseHttpDate(text)).toBe(seconds);
        const asctime = `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
        expect(parseHttpDate(asctime)).toBe(seconds);
      }),
    );
  });

  it('that came several times is ignored, as HTTP joins them to what is no delay', () => {
    expect(retryAfterMs(saying(['45']))).toBe(45_000);
    expect(retryAfterMs(saying(['45', '5']))).toBeUndefined();
    expect(retryAfterMs({ headers: ['Retry-After', '45', 'retry-after', '5'] })).toBeUndefined();
    const twice = new Headers([
      ['Retry-After', '45'],
      ['Retry-After', '5'],
    ]);
    expect(retryAfterMs({ headers: twice })).toBeUndefined();
    expect(retryAfterMs({ headers: { 'retry-after': '4', 'Retry-After': '5' } })).toBeUndefined();
  });
});

describe('retry-after-ms', () => {
  it.each([
    ['250', 250],
    ['0', 0],
    ['12.5', 12.5],
  ])('%j is a wait of %d ms, and more exact than Retry-After', (said, ms) => {
    expect(retryAfterMs(saying(said, 'Retry-After-Ms'))).toBe(ms);
    expect(retryAfterMs({ headers: { 'retry-after-ms': said, 'retry-after': '60' } })).toBe(ms);
  });

  it.each(['', '-1', '+5', '1e3', '5ms', '"5"', '5, 6', '.5', '5.'])(
    '%j is ignored, and Retry-After heard',
    (said) => {
      expect(retryAfterMs(saying(said, 'retry-after-ms'))).toBeUndefined();
      expect(retryAfterMs({ headers: { 'retry-after-ms': said, 'retry-after': '2' } })).toBe(2_000);
    },
  );
});

describe('a number that somebody has set', () => {
  it.each([Number.NaN, Number.NEGATIVE_INFINITY, -1, '2000', '2', null, {}, true, 5n])(
    'as retryAfterMs that is %p is ignored, and the header heard',
    (given) => {
      expect(retryAfterMs({ retryAfterMs: given })).toBeUndefined();
      expect(retryAfterMs({ retryAfterMs: given, headers: { 'retry-after': '2' } })).toBe(2_000);
    },
  );

  it.each([Number.NaN, -1, 1.5, 1e21, Number.POSITIVE_INFINITY])(
    'as Retry-After that is %p is ignored',
    (given) => {
      expect(retryAfterMs(saying(given))).toBeUndefined();
    },
  );
});

describe('what an error was made of', () => {
  it('is asked where the error itself says nothing, through any depth', () => {
    const wrapped = new BadGatewayException('no answer', { cause: saying('45') });
    expect(retryAfterMs(wrapped)).toBe(45_000);
    expect(retryAfterMs(new Error('outer', { cause: wrapped }))).toBe(45_000);
    expect(retryAfterMs(new Error('outer', { cause: { retryAfterMs: 7 } }))).toBe(7);
  });

  it('is not asked where the error itself says something', () => {
    const outer = Object.assign(new Error('outer', { cause: saying('45') }), { retryAfterMs: 10 });
    expect(retryAfterMs(outer)).toBe(10);
  });

  it('is waited for as long as the most patient of an AggregateError asks', () => {
    const errors = [saying('2'), new Error('down'), saying('9'), saying('soon')];
    expect(retryAfterMs(new AggregateError(errors))).toBe(9_000);
    expect(retryAfterMs(new Error('all', { cause: new AggregateError(errors) }))).toBe(9_000);
  });

  it("is not asked beyond the library's own errors, which tell by it of an earlier failure", () => {
    const open = Object.assign(new CircuitBreakerOpenError('b', 60_000), { cause: saying('45') });
    expect(retryAfterMs(open)).toBeUndefined();
    expect(retryAfterMs(new Error('outer', { cause: open }))).toBeUndefined();
    const last = { cause: saying('false', 'x-should-retry') };
    expect(forbidsRetry(Object.assign(new CircuitBreakerOpenError('b', 1), last))).toBe(false);
  });
});

describe('headers by the hundred thousand', () => {
  it('are not read beyond those that a message can have', () => {
    let reads = 0;
    const many: Record<string, string> = {};
    for (let index = 0; index < 100_000; index++)
      Object.defineProperty(many, `x-${index}`, {
        enumerable: true,
        get: () => {
          reads++;
          return '5';
        },
      });
    expect(retryAfterMs({ headers: many })).toBeUndefined();
    expect(reads).toBe(0);
    const list = new Proxy(Array.from({ length: 200_000 }).fill('x'), {
      get: (target, key) => {
        reads++;
        return Reflect.get(target, key);
      },
    });
    expect(retryAfterMs({ headers: list })).toBeUndefined();
    expect(reads).toBeLessThan(20_000);
  });
});

describe('What an error says in several places', () => {
  it('is what it says itself, then the exact header, then Retry-After, then the pushback', () => {
    const headers = { 'retry-after-ms': '1500.25', 'retry-after': '2' };
    const metadata = { 'grpc-retry-pushback-ms': '700' };
    expect(retryAfterMs({ retryAfterMs: 0, headers, metadata })).toBe(0);
    expect(retryAfterMs({ headers, metadata })).toBe(1_500.25);
    expect(retryAfterMs({ headers: { 'retry-after': '2' }, metadata })).toBe(2_000);
    expect(retryAfterMs({ metadata })).toBe(700);
  });

  it('is under its own name only, in a raw list and in an object', () => {
    const raw = ['content-length', '5', 'Retry-After', '2', 'age'];
    expect(retryAfterMs({ headers: raw })).toBe(2_000);
    expect(retryAfterMs({ headers: { 'retry-often': '5', 'Retry-After': '2' } })).toBe(2_000);
    expect(retryAfterMs({ headers: null })).toBeUndefined();
  });

  it('is passed over where it cannot be understood', () => {
    const headers = { 'retry-after-ms': 'soon', 'retry-after': '2' };
    expect(retryAfterMs({ retryAfterMs: -1, headers })).toBe(2_000);
    for (const [pushback, ms] of [
      ['0', 0],
      ['-1', undefined],
      ['later', undefined],
    ] as const)
      expect(retryAfterMs({ metadata: { 'grpc-retry-pushback-ms': pushback } })).toBe(ms);
  });
});
