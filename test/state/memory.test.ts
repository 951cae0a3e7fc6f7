import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { ResilienceConfigurationError } from '../../lib/index.js';
import { Memory } from '../../lib/state/memory.js';
import { checkStateOptions, type StateOptions } from '../../lib/state/state.options.js';
import {
  type Learnt,
  learntIn,
  MAX_LENGTH,
  documentOf as written,
} from '../../lib/state/state-document.js';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;

const payments = (state: object): Learnt => ({
  section: 'breakers',
  name: 'payments',
  state,
  ageMs: 0,
});

/** A store in memory, and what it was given. */
class Store {
  readonly saved: string[] = [];
  constructor(public content: unknown = undefined) {}
  readonly load = async () => this.content;
  readonly save = async (document: string) => {
    this.saved.push(document);
    this.content = document;
  };
}

let warnings: string[];

function memoryOf(options: StateOptions): Memory {
  return new Memory(options, (what) => (error) => {
    warnings.push(`${what}: ${(error as Error).message}`);
  });
}

/** What a policy of the name is told, if it is. */
function recalled(memory: Memory, section = 'breakers', name = 'payments') {
  const told: { state: unknown; agoMs: number }[] = [];
  memory.recall(section, name, (state, agoMs) => told.push({ state, agoMs }));
  return told;
}

/** What has been saved by one that knows this. */
async function documentOf(...learnt: Learnt[]): Promise<string> {
  const store = new Store();
  const memory = memoryOf(store);
  memory.begin(() => learnt);
  await memory.end();
  return store.content as string;
}

beforeEach(() => {
  warnings = [];
  jest.useFakeTimers({ now: Date.parse('2030-01-01T00:00:00Z') });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('What was learnt before a restart', () => {
  it('is told to the policy of its name once, with how long ago it was by the wall clock', async () => {
    const document = await documentOf(payments({ state: 'OPEN' }));
    jest.setSystemTime(Date.now() + 90 * SECOND);
    const memory = memoryOf(new Store(document));
    await memory.load();
    expect(recalled(memory, 'bulkheads')).toEqual([]);
    expect(recalled(memory)).toEqual([{ state: { state: 'OPEN' }, agoMs: 90 * SECOND }]);
    expect(recalled(memory)).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('grows older until a policy comes that is made later', async () => {
    const memory = memoryOf(new Store(await documentOf(payments({}))));
    await memory.load();
    jest.advanceTimersByTime(5 * SECOND);
    expect(recalled(memory)).toEqual([{ state: {}, agoMs: 5 * SECOND }]);
  });

  it('is of just now where the clock went backwards', async () => {
    const document = await documentOf(payments({}));
    jest.setSystemTime(Date.now() - DAY);
    const memory = memoryOf(new Store(document));
    await memory.load();
    expect(recalled(memory)).toEqual([{ state: {}, agoMs: 0 }]);
  });

  it('is saved along while its policy is not there, and forgotten after a day', async () => {
    const store = new Store(await documentOf(payments({ state: 'OPEN' })));
    for (const [hours, isThere] of [
      [20, true],
      [3, true],
      [2, false],
    ] as const) {
      jest.setSystemTime(Date.now() + hours * 3_600 * SECOND);
      const memory = memoryOf(store);
      await memory.load();
      memory.begin(() => []);
      await memory.end();
      expect(learntIn(store.content, Date.now()).length).toBe(isThere ? 1 : 0);
    }
  });

  it('may be given as text, as bytes or parsed, and there may be nothing', async () => {
    const text = await documentOf(payments({ failures: 3 }));
    for (const content of [text, Buffer.from(text), JSON.parse(text)]) {
      const memory = memoryOf(new Store(content));
      await memory.load();
      expect(recalled(memory)).toEqual([{ state: { failures: 3 }, agoMs: 0 }]);
    }
    for (const nothing of [undefined, null, '']) await memoryOf(new Store(nothing)).load();
    expect(warnings).toEqual([]);
  });

  it('is left alone where a policy throws because of it, which is told', async () => {
    const memory = memoryOf(new Store(await documentOf(payments({}))));
    await memory.load();
    memory.recall('breakers', 'payments', () => {
      throw new Error('not mine');
    });
    expect(warnings).toEqual(['state.load(): not mine']);
  });
});

describe('A store that is broken', () => {
  const told: [string, unknown, RegExp][] = [
    ['no JSON', '{"version":1,', /no JSON/],
    ['of a foreign version', { version: 2, savedAt: 0, policies: {} }, /version 2, not 1/],
    ['of no version', [], /version undefined/],
    ['without a time', { version: 1, savedAt: 'yesterday', policies: {} }, /when it was saved/],
    ['huge', 'x'.repeat(MAX_LENGTH + 1), /4000001 characters/],
    ['a function', () => undefined, /no JSON/],
    ['unreadable', { toJSON: () => JSON.parse('{') }, /JSON/],
  ];
  it.each(told)(
    'keeps nothing from starting with a document that is %s',
    async (_, content, why) => {
      const memory = memoryOf(new Store(content));
      await memory.load();
      expect(recalled(memory)).toEqual([]);
      expect(warnings).toEqual([expect.stringMatching(why)]);
    },
  );

  it('keeps nothing from starting whatever it answers', async () => {
    const entry = fc.oneof(
      fc.anything(),
      fc.record({ ageMs: fc.anything(), state: fc.anything() }),
    );
    const document = fc.record({
      version: fc.oneof(fc.constant(1), fc.anything()),
      savedAt: fc.oneof(fc.double(), fc.anything()),
      policies: fc.oneof(
        fc.anything(),
        fc.dictionary(fc.string(), fc.oneof(fc.anything(), fc.dictionary(fc.string(), entry))),
      ),
    });
    const given = fc.oneof(fc.anything({ withBigInt: true }), document, fc.json());
    await fc.assert(
      fc.asyncProperty(given, async (content) => {
        const store = new Store(content);
        const memory = memoryOf(store);
        await memory.load();
        memory.begin(() => [payments({})]);
        await memory.end();
        const [last] = learntIn(store.content, Date.now()).filter(
          ({ name }) => name === 'payments',
        );
        expect(last).toEqual(payments({}));
      }),
      { numRuns: 300 },
    );
  });

  it('is waited for at the start no longer than timeoutMs, and believed no more after it', async () => {
    let answer: (document: unknown) => void = () => undefined;
    const load = () => new Promise<unknown>((resolve) => (answer = resolve));
    const memory = memoryOf({ load, save: () => undefined });
    let isLoaded = false;
    const loading = memory.load().then(() => (isLoaded = true));
    await jest.advanceTimersByTimeAsync(999);
    expect(isLoaded).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await loading;
    answer({
      version: 1,
      savedAt: 0,
      policies: { breakers: { payments: { ageMs: 0, state: 1 } } },
    });
    await jest.advanceTimersByTimeAsync(0);
    expect(recalled(memory)).toEqual([]);
    expect(warnings).toEqual(['state.load(): no answer within 1000 ms']);
  });

  it('is waited for at the end no longer than timeoutMs', async () => {
    const memory = memoryOf({ load: () => null, save: () => new Promise(() => undefined) });
    memory.begin(() => [payments({})]);
    const ended = memory.end();
    await jest.advanceTimersByTimeAsync(1_000);
    await ended;
    expect(warnings[0]).toBe('state.save(): no answer within 1000 ms');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is tried again where a save has failed', async () => {
    const store = new Store();
    let isDown = true;
    const save = (document: string) =>
      isDown ? Promise.reject(new Error('down')) : store.save(document);
    const memory = memoryOf({ ...store, save });
    memory.begin(() => [payments({})]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(warnings).toEqual(['state.save(): down']);
    isDown = false;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(store.saved).toHaveLength(1);
    await memory.end();
  });
});

describe('What is known', () => {
  it('is saved in every interval in which more has happened than time', async () => {
    const store = new Store();
    const memory = memoryOf({ ...store, intervalMs: 2_000 });
    const openedAt = Date.now();
    let failures = 0;
    memory.begin(() => [payments({ openedAgoMs: Date.now() - openedAt, failures })]);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(store.saved).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(store.saved).toHaveLength(1);
    failures++;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(store.saved).toHaveLength(2);
    expect(learntIn(store.content, Date.now())).toEqual([
      payments({ openedAgoMs: 64_000, failures: 1 }),
    ]);
    await memory.end();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(store.saved).toHaveLength(2);
  });

  it('is saved at once where that is asked for, and not again at the end', async () => {
    const store = new Store();
    const memory = memoryOf(store);
    memory.begin(() => [payments({})]);
    await memory.save();
    await memory.end();
    expect(store.saved).toHaveLength(1);
  });

  it('is saved by one save at a time, in turn', async () => {
    const finish: (() => void)[] = [];
    const save = () => new Promise<void>((resolve) => finish.push(resolve));
    const memory = memoryOf({ load: () => null, save });
    let count = 0;
    memory.begin(() => {
      count += 100;
      return [payments({ count })];
    });
    const both = Promise.all([memory.save(), memory.save()]);
    await jest.advanceTimersByTimeAsync(0);
    expect(finish).toHaveLength(1);
    finish[0]?.();
    await jest.advanceTimersByTimeAsync(0);
    expect(finish).toHaveLength(2);
    finish[1]?.();
    await both;
    expect(warnings).toEqual([]);
  });

  it('is saved as far as there is room, the most important first, and the rest is told', async () => {
    const store = new Store();
    const memory = memoryOf(store);
    const large = (name: string) => ({ ...payments({ text: 'x'.repeat(MAX_LENGTH / 2) }), name });
    memory.begin(() => [large('first'), large('second'), payments({})]);
    await memory.end();
    expect(learntIn(store.content, Date.now()).map(({ name }) => name)).toEqual(['first']);
    expect((store.content as string).length).toBeLessThanOrEqual(MAX_LENGTH);
    expect(warnings).toEqual(['state.save(): 2 policies have no room in it']);
  });
});

describe('The option state', () => {
  it('may be an object of a class, with methods and fields of its own', async () => {
    class OneOfAClass {
      private content: unknown;
      async load() {
        return this.content;
      }
      async save(document: string) {
        this.content = document;
      }
    }
    const store = new OneOfAClass();
    expect(checkStateOptions('state', store)).toEqual({
      load: expect.any(Function),
      save: expect.any(Function),
    });
    const before = memoryOf(store);
    before.begin(() => [payments({ failures: 3 })]);
    await before.end();
    const after = memoryOf(store);
    await after.load();
    expect(recalled(after)).toEqual([{ state: { failures: 3 }, agoMs: 0 }]);
  });

  it.each([
    [{} as object, 'state.load: is missing'],
    [{ load: () => null }, 'state.save: is missing'],
    [{ load: 'file', save: () => null }, 'state.load: is "file"; allowed: a function'],
    [{ load: () => null, save: () => null, intervalMs: 0 }, 'state.intervalMs: is 0; allowed'],
    ['/var/lib/shop/resilience.json', 'state: is "/var/lib/shop/resilience.json"; allowed'],
  ])('is refused as %j', (given, message) => {
    const checking = () => checkStateOptions('state', given);
    expect(checking).toThrow(ResilienceConfigurationError);
    expect(checking).toThrow(message);
  });
});

it('is written by looking at each policy a few times, however many sections there are', () => {
  let looks = 0;
  const all = Array.from({ length: 2_000 }, (_, at) => ({
    ...payments({ at }),
    get section() {
      looks++;
      return `s${at}`;
    },
  }));
  const document = written(all, 0);
  expect(looks).toBeLessThan(10 * all.length);
  expect(learntIn(document, 0)).toEqual(all);
});

it('is refused where it is nested too deep to be written again', () => {
  const state = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const document = `{"version":1,"savedAt":0,"policies":{"a":{"b":{"ageMs":0,"state":${state}}}}}`;
  expect(() => learntIn(document, 0)).toThrow('nested too deep');
});
