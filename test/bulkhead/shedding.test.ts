import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Subject } from 'rxjs';
import {
  type BulkheadOptions,
  BulkheadPolicy,
  type BulkheadRejectionReason,
  type BulkheadSnapshot,
} from '../../lib/index.js';
import {
  Deferred,
  elapse,
  flush,
  ResilienceApp,
  type Watched,
  watch,
} from '../support/resilience-app.js';

interface Caller {
  critical?: boolean;
  timeoutMs?: number;
}

/** Calls by different callers through one bulkhead. */
class Clinic {
  readonly began: string[] = [];
  readonly calls = new Map<string, Watched<unknown>>();
  private readonly works = new Map<string, Deferred<unknown>>();

  constructor(
    private readonly enter: (caller: Caller, fn: () => Promise<unknown>) => Promise<unknown>,
    readonly snapshot: () => BulkheadSnapshot,
  ) {}

  call(who: string, caller: Caller = {}): Watched<unknown> {
    const work = new Deferred<unknown>();
    this.works.set(who, work);
    const call = watch(
      this.enter(caller, () => {
        this.began.push(who);
        return work.promise;
      }),
    );
    this.calls.set(who, call);
    return call;
  }

  finish(who: string): Promise<void> {
    this.works.get(who)?.resolve(who);
    return flush();
  }

  fail(who: string): Promise<void> {
    this.works.get(who)?.reject(new Error(`${who} failed`));
    return flush();
  }

  /** Runs that take so long each, one after the other. */
  async runs(count: number, durationMs: number, fails = false): Promise<void> {
    for (let run = 0; run < count; run++) {
      const who = `run of ${durationMs} ms, ${this.began.length}`;
      this.call(who);
      await elapse(durationMs);
      await (fails ? this.fail(who) : this.finish(who));
    }
    this.began.length = 0;
  }

  async finishAll(): Promise<void> {
    for (let left = 0; left <= this.works.size; left++)
      for (const who of this.works.keys()) await this.finish(who);
  }
}

function rejection(reason: BulkheadRejectionReason) {
  return expect.objectContaining({ name: 'BulkheadRejectedError', code: 'BULKHEAD_FULL', reason });
}

describe('Bulkhead', () => {
  let app: ResilienceApp;
  let opened: Clinic | undefined;
  let names = 0;

  beforeAll(async () => {
    app = await ResilienceApp.boot();
  });
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(async () => {
    await opened?.finishAll();
    expect(opened?.snapshot() ?? { running: 0, queued: 0 }).toMatchObject({
      running: 0,
      queued: 0,
    });
    opened = undefined;
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  afterAll(() => app.close());

  const kinds: [string, (options: BulkheadOptions) => Clinic][] = [
    [
      'as BulkheadPolicy inside calls',
      (options) => {
        const policy = new BulkheadPolicy('inside', options);
        return new Clinic(
          (caller, fn) => app.pipeline(caller).execute(() => policy.execute(fn)),
          () => policy.getSnapshot(),
        );
      },
    ],
    [
      'shared by pipelines',
      (options) => {
        const bulkhead = `shared-${names++}`;
        app.pipeline({ name: bulkhead, bulkhead: options });
        return new Clinic(
          (caller, fn) => app.pipeline({ ...caller, bulkhead }).execute(fn),
          () => app.bulkheads.get(bulkhead).getSnapshot(),
        );
      },
    ],
  ];

  describe.each(kinds)('%s', (_, open) => {
    function make(options: BulkheadOptions): Clinic {
      opened = open(options);
      return opened;
    }

    describe('whose runs take 100 ms', () => {
      it('does not start a queued call that has less than that left, and gives the slot to the next', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        clinic.call('running');
        const late = clinic.call('late', { timeoutMs: 149 });
        const next = clinic.call('next', { timeoutMs: 150 });
        await elapse(50);
        await clinic.finish('running');
        expect(late.error).toEqual(rejection('deadline'));
        expect(clinic.began).toEqual(['running', 'next']);
        expect(clinic.snapshot()).toMatchObject({ running: 1, queued: 0, rejected: 1 });
        await clinic.finish('next');
        expect(next.value).toBe('next');
      });

      it('starts one that has just enough time left, also where others wait behind it', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        clinic.call('running');
        clinic.call('next', { timeoutMs: 150 });
        clinic.call('behind');
        await elapse(50);
        await clinic.finish('running');
        expect(clinic.began).toEqual(['running', 'next']);
      });

      it('frees the slot where everybody who waits is too late', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        clinic.call('running');
        const late = [1, 2, 3].map((n) => clinic.call(`late ${n}`, { timeoutMs: 120 }));
        await elapse(30);
        await clinic.finish('running');
        expect(late.map(({ error }) => error)).toEqual(Array(3).fill(rejection('deadline')));
        expect(clinic.snapshot()).toMatchObject({ running: 0, queued: 0, rejected: 3 });
      });

      it('does not even queue a call that is too late when it comes', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        clinic.call('running');
        const late = clinic.call('late', { timeoutMs: 99 });
        const exact = clinic.call('exact', { timeoutMs: 100 });
        await flush();
        expect(late.error).toEqual(rejection('deadline'));
        expect(exact.state).toBe('pending');
        expect(clinic.snapshot()).toMatchObject({ running: 1, queued: 1 });
      });

      it('starts a call that finds a free slot, however little time it has', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        const hurried = clinic.call('hurried', { timeoutMs: 10 });
        await clinic.finish('hurried');
        expect(hurried.value).toBe('hurried');
      });

      it('lets a call without a deadline wait as long as it takes', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        clinic.call('running');
        const patient = clinic.call('patient');
        await elapse(60_000);
        await clinic.finish('running');
        await clinic.finish('patient');
        expect(patient.value).toBe('patient');
      });

      it('follows the runs when they become slower, and when they become faster again', async () => {
        const clinic = make({ maxConcurrent: 1 });
        const queuedWith = async (timeoutMs: number) => {
          clinic.call('running');
          const call = clinic.call('queued', { timeoutMs });
          await clinic.finish('running');
          await clinic.finish('queued');
          return call.state;
        };
        await clinic.runs(31, 100);
        expect(await queuedWith(101)).toBe('fulfilled');
        await clinic.runs(20, 300);
        expect(await queuedWith(299)).toBe('rejected');
        expect(await queuedWith(301)).toBe('fulfilled');
        await clinic.runs(20, 100);
        expect(await queuedWith(101)).toBe('fulfilled');
      });

      it('knows that also where they never filled it', async () => {
        const clinic = make({ maxConcurrent: 2 });
        await clinic.runs(5, 100);
        clinic.call('one');
        clinic.call('other');
        const late = clinic.call('late', { timeoutMs: 99 });
        await flush();
        expect(late.error).toEqual(rejection('deadline'));
      });

      it('notices also there that they have become faster', async () => {
        const clinic = make({ maxConcurrent: 2 });
        await clinic.runs(5, 100);
        await clinic.runs(100, 10);
        clinic.call('one');
        clinic.call('other');
        const call = clinic.call('in time', { timeoutMs: 50 });
        await clinic.finish('one');
        await clinic.finish('in time');
        expect(call.value).toBe('in time');
      });

      it('times one run in eight where nobody waits, which is enough to notice that', async () => {
        const clinic = make({ maxConcurrent: 2 });
        await clinic.runs(5, 100);
        const queuedWith = async (timeoutMs: number) => {
          const [one, other, queued] = ['one', 'other', 'queued'].map((who) =>
            clinic.call(who, who === 'queued' ? { timeoutMs } : {}),
          );
          await flush();
          const { state } = queued as Watched<unknown>;
          for (const who of ['one', 'other', 'queued']) await clinic.finish(who);
          expect([one?.state, other?.state]).toEqual(['fulfilled', 'fulfilled']);
          return state;
        };
        await clinic.runs(39, 10); // four of them are timed, and five before that were slow
        expect(await queuedWith(50)).toBe('rejected');
        await clinic.runs(8, 10);
        expect(await queuedWith(50)).toBe('pending');
      });

      it('does not believe failures that come fast: an answer takes as long as before', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        await clinic.runs(50, 1, true);
        clinic.call('running');
        const late = clinic.call('late', { timeoutMs: 99 });
        await flush();
        expect(late.error).toEqual(rejection('deadline'));
      });

      it('believes failures that come late: an answer takes at least as long', async () => {
        const clinic = make({ maxConcurrent: 1 });
        await clinic.runs(5, 100);
        await clinic.runs(10, 400, true);
        clinic.call('running');
        const late = clinic.call('late', { timeoutMs: 399 });
        await flush();
        expect(late.error).toEqual(rejection('deadline'));
      });
    });

    it('takes the median, which a few slow runs do not move', async () => {
      const clinic = make({ maxConcurrent: 1 });
      await clinic.runs(3, 10_000);
      await clinic.runs(4, 10);
      clinic.call('running');
      const call = clinic.call('queued', { timeoutMs: 50 });
      await clinic.finish('running');
      await clinic.finish('queued');
      expect(call.value).toBe('queued');
    });

    it('rejects nobody for a deadline before there have been five runs', async () => {
      const clinic = make({ maxConcurrent: 1 });
      await clinic.runs(3, 100);
      clinic.call('running');
      const call = clinic.call('queued', { timeoutMs: 20 });
      await flush();
      expect(call.state).toBe('pending');
      await clinic.finish('running');
      expect(clinic.began).toEqual(['running', 'queued']);
    });

    it('measures a run from its slot, not from its place in the queue', async () => {
      const clinic = make({ maxConcurrent: 1 });
      for (let n = 0; n < 8; n++) clinic.call(`${n}`);
      for (let n = 0; n < 8; n++) {
        await elapse(100);
        await clinic.finish(`${n}`);
      }
      clinic.call('running');
      const call = clinic.call('queued', { timeoutMs: 101 });
      const late = clinic.call('late', { timeoutMs: 99 });
      await flush();
      expect(late.error).toEqual(rejection('deadline'));
      await clinic.finish('running');
      await clinic.finish('queued');
      expect(call.value).toBe('queued');
    });

    it('is full for everybody but a critical call, which displaces the youngest that may be shed', async () => {
      const clinic = make({ maxConcurrent: 1, queueLimit: 3 });
      clinic.call('running');
      const older = clinic.call('older', { critical: false });
      const younger = clinic.call('younger', { critical: false });
      const ordinary = clinic.call('ordinary');
      const another = clinic.call('another');
      const sheddable = clinic.call('sheddable', { critical: false });
      await flush();
      expect(another.error).toEqual(rejection('full'));
      expect(sheddable.value).toBeNull();
      expect(clinic.snapshot()).toMatchObject({ queued: 3, rejected: 2 });
      const critical = clinic.call('critical', { critical: true });
      await flush();
      expect(younger.value).toBeNull(); // it degrades
      expect([older, ordinary, critical].map(({ state }) => state)).toEqual(
        Array(3).fill('pending'),
      );
      expect(clinic.snapshot()).toMatchObject({ running: 1, queued: 3, rejected: 3 });
      await clinic.finishAll();
      expect(clinic.began).not.toContain('younger');
      expect([older, ordinary, critical].map(({ value }) => value)).toEqual([
        'older',
        'ordinary',
        'critical',
      ]);
    });

    it('displaces neither what is critical nor what did not say', async () => {
      const clinic = make({ maxConcurrent: 1, queueLimit: 2 });
      clinic.call('running', { critical: false });
      const ordinary = clinic.call('ordinary');
      const critical = clinic.call('critical', { critical: true });
      const one = clinic.call('one more', { critical: true });
      await flush();
      expect(one.error).toEqual(rejection('full'));
      await clinic.finishAll();
      expect([ordinary.value, critical.value]).toEqual(['ordinary', 'critical']);
      expect(clinic.calls.get('running')?.value).toBe('running'); // what has begun is not cut
    });

    it('displaces as many as there are, the youngest first, and then is full', async () => {
      const clinic = make({ maxConcurrent: 1, queueLimit: 3 });
      clinic.call('running');
      for (const who of ['a', 'b', 'c']) clinic.call(who, { critical: false });
      const shed = () =>
        ['a', 'b', 'c'].filter((who) => clinic.calls.get(who)?.state !== 'pending');
      for (const left of [['c'], ['b', 'c'], ['a', 'b', 'c']]) {
        clinic.call(`instead of ${left[0]}`, { critical: true });
        await flush();
        expect(shed()).toEqual(left);
      }
      const fourth = clinic.call('fourth', { critical: true });
      await flush();
      expect(fourth.error).toEqual(rejection('full'));
    });

    it('has nobody to displace where it has no queue', async () => {
      const clinic = make({ maxConcurrent: 1, queueLimit: 0 });
      clinic.call('running', { critical: false });
      const critical = clinic.call('critical', { critical: true });
      await flush();
      expect(critical.error).toEqual(rejection('full'));
    });

    it('displaces nobody for a critical call that is too late itself', async () => {
      const clinic = make({ maxConcurrent: 1, queueLimit: 1 });
      await clinic.runs(5, 100);
      clinic.call('running');
      const sheddable = clinic.call('sheddable', { critical: false });
      const late = clinic.call('late', { critical: true, timeoutMs: 50 });
      await flush();
      expect(late.error).toEqual(rejection('deadline'));
      expect(sheddable.state).toBe('pending');
    });

    it('serves critical calls first and those that may be shed last, each in the order in which they came', async () => {
      const clinic = make({ maxConcurrent: 1 });
      clinic.call('running');
      const came: [string, boolean | undefined][] = [
        ['s1', false],
        ['o1', undefined],
        ['c1', true],
        ['s2', false],
        ['c2', true],
        ['o2', undefined],
      ];
      for (const [who, critical] of came)
        clinic.call(who, critical === undefined ? {} : { critical });
      await clinic.finishAll();
      expect(clinic.began).toEqual(['running', 'c1', 'c2', 'o1', 'o2', 's1', 's2']);
    });
  });

  it('lets criticality flow inward: a call inside a critical one is critical', async () => {
    opened = kinds[1]?.[1]({ maxConcurrent: 1, queueLimit: 1 }) as Clinic;
    const clinic = opened;
    clinic.call('running');
    const sheddable = clinic.call('sheddable', { critical: false });
    const inside = watch(
      app.pipeline({ critical: true }).execute(async () => {
        const call = clinic.call('inside');
        await flush();
        return call.state;
      }),
    );
    await flush();
    expect(sheddable.value).toBeNull();
    expect(inside.value).toBe('pending');
  });

  it('counts the time until a stream begins, not until it ends', async () => {
    const bulkhead = `streams-${names++}`;
    const streams = app.pipeline({ name: bulkhead, bulkhead: { maxConcurrent: 1 } });
    for (let run = 0; run < 6; run++) {
      const source = new Subject<number>();
      const subscription = streams.observe(() => source).subscribe();
      await elapse(10);
      source.next(1);
      await elapse(60_000);
      source.complete();
      subscription.unsubscribe();
    }
    const held = new Deferred();
    watch(streams.execute(() => held.promise));
    const hurried = app.pipeline({ bulkhead, timeoutMs: 1_000 });
    const call = watch(hurried.execute(async () => 'in time'));
    await flush();
    held.resolve(undefined);
    await flush();
    expect(call.value).toBe('in time');
  });

  it('tells of each rejection in metrics and events, and its health sees none of it as a failure', async () => {
    const seen: unknown[] = [];
    const subscription = app.events.events$.subscribe((event) => {
      if (event.type === 'bulkhead-rejected') seen.push(event.reason);
    });
    opened = kinds[1]?.[1]({ maxConcurrent: 1, queueLimit: 1 }) as Clinic;
    await opened.runs(5, 100);
    opened.call('running');
    opened.call('late', { timeoutMs: 1 });
    opened.call('sheddable', { critical: false });
    opened.call('critical', { critical: true });
    await flush();
    subscription.unsubscribe();
    expect(seen).toEqual(['deadline', 'displaced']);
    const { name } = opened.snapshot();
    for (const reason of ['deadline', 'displaced'])
      expect(app.metrics.get('bulkhead.rejected', { bulkhead: name, reason })).toBe(1);
  });
});
