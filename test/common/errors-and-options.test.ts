import { describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  HttpException,
  InternalServerErrorException,
  NotFoundException,
  RequestTimeoutException,
} from '@nestjs/common';
import { ask } from '../../lib/common/answers.js';
import { display, ResilienceConfigurationError } from '../../lib/common/configuration.error.js';
import { isError } from '../../lib/common/is-error.js';
import { boolean, countOrZero, percentage, positiveCount } from '../../lib/common/option-rules.js';
import { checkOptions, defined, merge, type Rules } from '../../lib/common/options.js';
import { isClientError } from '../../lib/errors/client-error.js';
import { isResilienceError } from '../../lib/errors/resilience.error.js';
import {
  BulkheadRejectedError,
  CircuitBreakerOpenError,
  ResilienceError,
  TimeoutError,
} from '../../lib/index.js';

describe('a client error', () => {
  const shapes: [string, (status: unknown) => object][] = [
    ['status', (status) => ({ status })],
    ['statusCode', (status) => ({ statusCode: status })],
    ['response.status', (status) => ({ response: { status } })],
    ['$metadata.httpStatusCode', (status) => ({ $metadata: { httpStatusCode: status } })],
  ];

  describe.each(shapes)('by %s', (_, shape) => {
    it.each([400, 401, 403, 404, 407, 409, 410, 422, 424, 426, 428, 431, 499])(
      'is %d',
      (status) => {
        expect(isClientError(shape(status))).toBe(true);
        expect(isClientError(Object.assign(new Error(), shape(status)))).toBe(true);
      },
    );

    it.each([408, 425, 429])('is not %d, by which the dependency pushes back', (status) => {
      expect(isClientError(shape(status))).toBe(false);
    });

    it.each([0, 100, 200, 302, 399, 500, 502, 503, 599, -404, Number.NaN])(
      'is not %d',
      (status) => {
        expect(isClientError(shape(status))).toBe(false);
      },
    );

    it.each([['404'], [undefined], [null], [true], [[404]]])(
      'is not the non-number %p',
      (status) => {
        expect(isClientError(shape(status))).toBe(false);
      },
    );
  });

  it('is an HttpException below 500, unless it pushes back', () => {
    expect(isClientError(new BadRequestException())).toBe(true);
    expect(isClientError(new NotFoundException('x', { cause: new Error() }))).toBe(true);
    expect(isClientError(new HttpException({ statusCode: 500 }, 418))).toBe(true);
    expect(isClientError(new HttpException('moved', 302))).toBe(true);
    expect(isClientError(new HttpException('slow down', 429))).toBe(false);
    expect(isClientError(new RequestTimeoutException())).toBe(false);
    expect(isClientError(new InternalServerErrorException())).toBe(false);
    expect(isClientError(new HttpException('x', 503))).toBe(false);
  });

  it.each([
    [undefined],
    [null],
    ['404'],
    [404],
    [new Error('404')],
    [{}],
    [[]],
    [{ response: null, $metadata: null }],
  ])('is not %p', (thrown) => {
    expect(isClientError(thrown)).toBe(false);
  });

  it("is none of the library's own errors", () => {
    expect(isClientError(new TimeoutError(1))).toBe(false);
    expect(isClientError(new CircuitBreakerOpenError('b', 1))).toBe(false);
    expect(isClientError(new BulkheadRejectedError('b', 'full'))).toBe(false);
  });

  it('is not one whose properties cannot be read', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('get');
        },
      },
    );
    expect(isClientError(hostile)).toBe(false);
  });
});

describe("the library's own errors", () => {
  const errors = [
    new TimeoutError(500, 'Payments.charge'),
    new CircuitBreakerOpenError('payments', 100),
    new BulkheadRejectedError('write', 'full'),
  ];

  it('have a name, a code and a message that gives nothing of the inside away', () => {
    expect(errors.map(({ name, code }) => [name, code])).toEqual([
      ['TimeoutError', 'TIMEOUT'],
      ['CircuitBreakerOpenError', 'CIRCUIT_OPEN'],
      ['BulkheadRejectedError', 'BULKHEAD_FULL'],
    ]);
    expect(errors[0]?.message).toBe('Operation timed out after 500 ms');
    expect(errors[0]).toMatchObject({ timeoutMs: 500, operation: 'Payments.charge' });
  });

  it('carry no stack frames unless asked to, and leave the limit as it was', () => {
    const limit = Error.stackTraceLimit;
    for (const error of errors) {
      expect(error).toBeInstanceOf(ResilienceError);
      expect(error.stack).not.toMatch(/\n\s+at /);
    }
    expect(new TimeoutError(1, undefined, true).stack).toMatch(/\n\s+at /);
    expect(Error.stackTraceLimit).toBe(limit);
  });

  it('are recognised with their code, also those of a second copy of the package', () => {
    expect(errors.every((error) => isResilienceError(error))).toBe(true);
    expect(isResilienceError(errors[0], 'TIMEOUT')).toBe(true);
    expect(isResilienceError(errors[0], 'CIRCUIT_OPEN')).toBe(false);
    class SecondCopy extends Error {
      readonly code = 'TIMEOUT';
    }
    Object.defineProperty(SecondCopy.prototype, Symbol.for('nestjs-bulwark:error'), {
      value: { code: 'TIMEOUT', http: 504, grpc: 4, message: 'The request took too long' },
    });
    expect(isResilienceError(new SecondCopy(), 'TIMEOUT')).toBe(true);
  });

  it.each([[undefined], [null], ['TIMEOUT'], [{ code: 'TIMEOUT' }], [new Error()]])(
    'are not %p',
    (other) => {
      expect(isResilienceError(other)).toBe(false);
    },
  );
});

describe('options', () => {
  interface Options {
    size?: number;
    flag?: boolean;
  }
  const rules: Rules<Options> = { size: positiveCount, flag: boolean };
  const refusal = (options: unknown, place = 'x') => {
    try {
      checkOptions(place, options, rules);
    } catch (error) {
      return error as ResilienceConfigurationError;
    }
    throw new Error('the options were accepted');
  };

  it('come back as a copy without what is undefined', () => {
    const given = { size: 1, flag: undefined };
    const checked = checkOptions('x', given, rules);
    expect(checked).toEqual({ size: 1 });
    expect(Object.keys(checked)).toEqual(['size']);
    expect(checked).not.toBe(given);
  });

  it('may be an instance of a class of the user', () => {
    class Mine {
      size = 3;
    }
    expect(checkOptions('x', new Mine(), rules)).toEqual({ size: 3 });
  });

  it('are refused with place, value and what is allowed', () => {
    const error = refusal({ size: -1 }, 'breakers.payments');
    expect(error).toBeInstanceOf(ResilienceConfigurationError);
    expect(error).toMatchObject({
      name: 'ResilienceConfigurationError',
      place: 'breakers.payments.size',
    });
    expect(error.message).toBe(
      'breakers.payments.size: is -1; allowed: a whole number from 1 to 1000000',
    );
    expect(refusal({ size: -1 }, '').message).toMatch(/^size: /);
  });

  it('are refused with an unknown key even where it is undefined', () => {
    expect(refusal({ sise: undefined }).message).toBe(
      'x.sise: there is no such option; known: size, flag; did you mean size?',
    );
  });

  it('of a lower layer are overridden only by what is given', () => {
    const below = { size: 1, flag: true };
    expect(merge<Options>(below, { size: 2, flag: undefined } as Options, undefined, {})).toEqual({
      size: 2,
      flag: true,
    });
    expect(below).toEqual({ size: 1, flag: true });
    expect(defined({ a: undefined, b: null, c: 0 })).toEqual({ b: null, c: 0 });
  });

  it('of number know their edges', () => {
    expect([0, 1, 1_000_000, 1_000_001].map((n) => positiveCount(n, 'x') === undefined)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect([-1, 0, 0.5].map((n) => countOrZero(n, 'x') === undefined)).toEqual([
      false,
      true,
      false,
    ]);
    expect([0, 0.001, 100, 100.001].map((n) => percentage(n, 'x') === undefined)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});

describe("a user's predicate", () => {
  it.each([
    [true, true],
    [false, false],
    [1, true],
    ['', false],
    [undefined, false],
    [null, false],
  ])('that answers %p says %p', (answer, expected) => {
    expect(ask({ place: 'Orders.load @Fallback()' }, 'when', answer)).toBe(expected);
  });

  it('that answers with a promise is a mistake, whose rejection is not left unhandled', () => {
    expect(() => ask({ place: 'Orders.load @Fallback()' }, 'when', Promise.resolve(true))).toThrow(
      'Orders.load @Fallback().when: answered a promise; it has to answer at once; allowed: true or false',
    );
    expect(() =>
      ask({ place: 'Orders.load @Fallback()' }, 'when', Promise.reject(new Error('late'))),
    ).toThrow(ResilienceConfigurationError);
  });
});

describe('a value in a message', () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;

  it.each<[unknown, string]>([
    ['text', '"text"'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [5n, '5'],
    [{ a: 1 }, '{"a":1}'],
    [[1, 2], '[1, 2]'],
    [[Number.NaN, 'a', [1]], '[NaN, "a", an array]'],
    [() => 1, 'a function'],
    [
      function named() {
        return 1;
      },
      'function named',
    ],
    [circular, 'an object'],
    [new URL('redis://user:secret@host'), 'an instance of URL'],
    [[new Map()], '[an instance of Map]'],
    [Object.create(Object.create(Object.create(null))), 'an instance of a class'],
    [{ n: 1n }, 'an object'],
  ])('%p is shown as %s', (value, text) => {
    expect(display(value)).toBe(text);
  });

  it('is short', () => {
    expect(display('x'.repeat(10_000)).length).toBeLessThan(90);
    expect(display(Array.from({ length: 10_000 }, () => 1)).length).toBeLessThan(90);
  });
});

describe('an Error', () => {
  it('is recognised in whatever realm and shape', () => {
    expect(isError(new TypeError())).toBe(true);
    expect(isError(new DOMException('x', 'AbortError'))).toBe(true);
    expect(isError(AbortSignal.abort().reason)).toBe(true);
    expect(isError(new TimeoutError(1))).toBe(true);
  });

  it.each([['text'], [undefined], [null], [{ message: 'x', stack: 'y' }]])('is not %p', (value) => {
    expect(isError(value)).toBe(false);
  });
});
