/** What code can throw, and what those who look at it had better not trip over. */

function unreadable(): never {
  throw new TypeError('a trap');
}

const TRAPS: ProxyHandler<object> = {
  get: unreadable,
  has: unreadable,
  getPrototypeOf: unreadable,
  getOwnPropertyDescriptor: unreadable,
  ownKeys: unreadable,
  defineProperty: unreadable,
  set: unreadable,
  isExtensible: unreadable,
};

function revoked(of: object): unknown {
  const { proxy, revoke } = Proxy.revocable(of, {});
  revoke();
  return proxy;
}

/** Everything that is asked of it is a function, which answers with itself. */
function agreeable(): unknown {
  const proxy: unknown = new Proxy(() => proxy, { has: () => true, get: () => proxy });
  return new Proxy(new Error('agreeable'), {
    has: () => true,
    get: (_target, key) => (key === 'then' ? undefined : proxy),
  });
}

function withGetters(...names: PropertyKey[]): unknown {
  const error = new Error('getters');
  for (const name of names) Object.defineProperty(error, name, { get: unreadable });
  return error;
}

function thenable(then: (resolve: (value: string) => void) => void): unknown {
  return Object.defineProperty(new Error('lazy'), 'then', { value: then });
}

/** Each makes one of its kind. */
export const HOSTILE_ERRORS: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  'an empty text': () => '',
  NaN: () => Number.NaN,
  'a bigint': () => 7n,
  'a symbol': () => Symbol('thrown'),
  'a function': () => unreadable,
  'an object without a prototype': () => Object.create(null),
  'a revoked proxy': () => revoked({}),
  'a revoked proxy of an Error': () => revoked(new Error('gone')),
  'a proxy whose getPrototypeOf throws': () =>
    new Proxy(new Error('x'), { getPrototypeOf: unreadable }),
  'a proxy whose every trap throws': () => new Proxy(new Error('x'), TRAPS),
  'a proxy that agrees to everything': agreeable,
  'an Error whose name and message throw': () => withGetters('name', 'message'),
  'an Error whose stack throws': () => withGetters('stack'),
  'an Error whose cause and errors throw': () => withGetters('cause', 'errors'),
  'an Error whose code, status and headers throw': () =>
    withGetters('code', 'status', 'statusCode', 'headers', 'response', '$metadata', 'metadata'),
  'an Error whose constructor and tag throw': () => withGetters('constructor', Symbol.toStringTag),
  'an Error that asks what it is by methods that throw': () =>
    Object.assign(new Error('asks'), { getStatus: unreadable, getError: unreadable }),
  'an Error whose message cannot be made text': () =>
    Object.assign(new Error(), { message: { toString: unreadable }, name: Symbol('name') }),
  'an object that cannot be made text': () => ({
    [Symbol.toPrimitive]: unreadable,
    toString: unreadable,
  }),
  'a thenable': () => thenable((resolve) => resolve('swallowed')),
  'a thenable that never calls back': () => thenable(() => undefined),
  'an Error whose then throws': () => withGetters('then'),
  'a frozen Error': () => Object.freeze(new Error('frozen')),
  'an Error that is its own cause': () => {
    const error = new Error('circle');
    error.cause = new AggregateError([error]);
    return error;
  },
  'an Error made of a revoked proxy': () =>
    Object.assign(new Error('x', { cause: revoked({}) }), { errors: revoked([]) }),
};

/** How a promise fails: in a box, as a promise that resolves to a thenable becomes that. */
export async function caught(promise: PromiseLike<unknown>): Promise<{ error: unknown }> {
  try {
    await promise;
  } catch (error) {
    return { error };
  }
  throw new Error('It was expected to fail');
}
