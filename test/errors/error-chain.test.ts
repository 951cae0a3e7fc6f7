import { describe, expect, it } from '@jest/globals';
import { Scope } from '../../lib/context/scope.js';
import { errorChain } from '../../lib/errors/error-chain.js';
import { CircuitBreakerOpenError } from '../../lib/index.js';

const wrap = (cause: unknown) => new Error('outer', { cause });

describe('the chain of an error', () => {
  it('has what it was made of, the nearest first, each once', () => {
    const root = new Error('root');
    const [a, b] = [wrap(root), wrap(root)];
    const all = new AggregateError([a, b, a]);
    const outer = wrap(all);
    expect(errorChain(outer)).toEqual([outer, all, a, b, root]);
  });

  it('has what is thrown that is no error, and ends there', () => {
    for (const thrown of [undefined, null, 0, 'text', Symbol('s')])
      expect(errorChain(thrown)).toEqual([thrown]);
    expect(errorChain(wrap('text'))).toHaveLength(2);
    expect(errorChain(Object.assign(new Error(), { errors: 'text' }))).toHaveLength(1);
    expect(errorChain(Object.assign(new Error(), { errors: { length: 3 } }))).toHaveLength(1);
  });

  it('ends where errors go in a circle', () => {
    const error: Error = new Error('a');
    error.cause = new AggregateError([error, wrap(error)]);
    expect(errorChain(error)).toHaveLength(3);
  });

  it('ends where errors cannot be read, and has what can be', () => {
    const root = new Error('root');
    const half = Object.defineProperty(wrap(root), 'errors', {
      get: () => {
        throw new Error('unreadable');
      },
    });
    const { proxy, revoke } = Proxy.revocable([root], {});
    revoke();
    const revoked = Object.assign(wrap(root), { errors: proxy });
    expect(errorChain(half)).toEqual([half, root]);
    expect(errorChain(revoked)).toEqual([revoked, root]);
    expect(errorChain(proxy)).toHaveLength(1);
  });

  it("does not go beyond the library's own errors, which tell by their cause of an earlier failure", () => {
    const open = Object.assign(new CircuitBreakerOpenError('b', 1), {
      cause: new Error('earlier'),
    });
    const outer = wrap(open);
    expect(errorChain(outer)).toEqual([outer, open]);
  });

  it('is of a bounded length and cost, however many errors there are', () => {
    let reads = 0;
    const counted = (of: object) =>
      new Proxy(of, {
        get: (target, key) => {
          reads++;
          return Reflect.get(target, key);
        },
      });
    const same = new Error('same');
    for (const errors of [
      Array.from({ length: 50_000 }, (_, index) => new Error(String(index))),
      Array.from({ length: 50_000 }, () => same),
    ]) {
      reads = 0;
      const chain = errorChain(Object.assign(new Error('many'), { errors: counted(errors) }));
      expect(chain.length).toBeLessThanOrEqual(200);
      expect(reads).toBeLessThan(1_000);
    }
    let deep: unknown = same;
    for (let depth = 0; depth < 10_000; depth++) deep = wrap(deep);
    expect(errorChain(deep)).toHaveLength(200);
    const endless: object = {
      get cause() {
        reads++;
        return Object.create(Object.getPrototypeOf(this), Object.getOwnPropertyDescriptors(this));
      },
    };
    reads = 0;
    expect(errorChain(endless)).toHaveLength(200);
    expect(reads).toBeLessThanOrEqual(200);
  });

  it('tells what a call inside has retried among two hundred others', () => {
    const scope = new Scope(1, undefined, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    const retried = new Error('retried');
    scope.noteRetried(retried);
    const errors = Array.from({ length: 150 }, (_, index) => new Error(String(index)));
    expect(scope.hasRetried(new AggregateError(errors))).toBe(false);
    expect(scope.hasRetried(wrap(new AggregateError([...errors, retried])))).toBe(true);
  });
});
