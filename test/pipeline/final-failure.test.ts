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
import {
  BadRequestException,
  HttpException,
  Injectable,
  InternalServerErrorException,
  NotFoundException,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Critical,
  type CriticalAlert,
  Fallback,
  ResilienceConfigurationError,
  ResilienceModule,
  type ResilienceModuleOptions,
  type ServiceOptions,
  Timeout,
} from '../../lib/index.js';
import { elapse, failure, flush, never, ResilienceApp, watch } from '../support/resilience-app.js';

const CRITICALITIES = [
  ['critical', true],
  ['neither', undefined],
  ['nice to have', false],
] as const;

type When = (error: unknown) => boolean;

/** What methods throw and conditions answer; each test sets it. */
const script: { error: unknown; when: When; fallbackError: unknown } = {
  error: undefined,
  when: () => true,
  fallbackError: undefined,
};

@Injectable()
class Catalogue {
  calls: unknown[][] = [];

  @Fallback('byMethod')
  async named(_a: string, _b?: number): Promise<unknown> {
    throw script.error;
  }

  @Fallback((error: unknown, a: string, b?: number) => [error, a, b])
  async inline(_a: string, _b?: number): Promise<unknown> {
    throw script.error;
  }

  @Critical()
  @Fallback({ handler: 'byMethod', when: (error) => script.when(error) })
  async critical(_a: string): Promise<unknown> {
    throw script.error;
  }

  @Fallback({ handler: 'byMethod', when: (error) => script.when(error) })
  async neither(_a: string): Promise<unknown> {
    throw script.error;
  }

  @Critical(false)
  @Fallback({ handler: 'byMethod', when: (error) => script.when(error) })
  async nice(_a: string): Promise<unknown> {
    throw script.error;
  }

  async byMethod(...args: unknown[]): Promise<unknown> {
    this.calls.push(args);
    if (script.fallbackError !== undefined) throw script.fallbackError;
    return 'instead';
  }
}

describe('A call that failed for good', () => {
  let app: ResilienceApp;
  let catalogue: Catalogue;
  let alerts: CriticalAlert[] = [];
  let names = 0;

  beforeAll(async () => {
    app = await ResilienceApp.boot(
      {
        alertIntervalMs: 0,
        alerts: { sendCritical: (_message, alert) => void alerts.push(alert) },
      },
      [Catalogue],
    );
    catalogue = app.module.get(Catalogue);
  });
  beforeEach(() => {
    jest.useFakeTimers();
    alerts = [];
    catalogue.calls = [];
    script.error = new Error('down');
    script.when = () => true;
    script.fallbackError = undefined;
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(() => app.close());

  /** Makes a call that fails, and says how it ended. */
  async function end(error: unknown, options: ServiceOptions) {
    const name = `failing-${names++}`;
    const before = app.tracker.getMetrics().total;
    const call = watch(app.pipeline({ name, ...options }).execute(() => Promise.reject(error)));
    await flush();
    const outcome = (['success', 'failure', 'fallback', 'degraded'] as const).filter(
      (each) => app.metrics.get('requests.total', { operation: name, outcome: each }) === 1,
    );
    return {
      call,
      outcome: outcome.join(),
      alerts: alerts.length,
      tracked: app.tracker.getMetrics().total - before,
      handled: app.tracker.getRecentErrors(1)[0]?.handled,
      fallbacksFailed: app.metrics.get('service.fallback_failed', { operation: name }),
      fallbacksWell: app.metrics.get('service.fallback_success', { operation: name }),
    };
  }

  describe.each(CRITICALITIES)('that is %s', (_, critical) => {
    const alerted = critical === true ? 1 : 0;

    it('gives the result of the fallback where there is one', async () => {
      const ended = await end(new Error('down'), { critical, fallback: () => 'instead' });
      expect(ended).toMatchObject({
        call: { state: 'fulfilled', value: 'instead' },
        outcome: 'fallback',
        alerts: alerted,
        tracked: 1,
        handled: true,
        fallbacksFailed: 0,
        fallbacksWell: 1,
      });
    });

    it.each([
      ['rejects', (error: unknown) => () => Promise.reject(error)],
      [
        'throws',
        (error: unknown) => () => {
          throw error;
        },
      ],
    ])('gives what it has to where the fallback %s', async (_how, failing) => {
      const error = new Error('down');
      const fallbackError = new Error('down too');
      const ended = await end(error, { critical, fallback: failing(fallbackError) });
      const degrades = critical === false;
      expect(ended).toMatchObject({
        outcome: degrades ? 'degraded' : 'failure',
        alerts: alerted,
        tracked: 1,
        handled: degrades,
        fallbacksFailed: 1,
        fallbacksWell: 0,
      });
      if (degrades) expect(ended.call.value).toBeNull();
      else expect(ended.call.error).toBe(fallbackError);
      expect(app.tracker.getRecentErrors(1)[0]?.message).toBe(error.message);
    });

    it('gives what it has to without a fallback', async () => {
      const error = new Error('down');
      const ended = await end(error, { critical });
      const degrades = critical === false;
      expect(ended).toMatchObject({
        outcome: degrades ? 'degraded' : 'failure',
        alerts: alerted,
        tracked: 1,
        handled: degrades,
      });
      if (degrades) expect(ended.call).toMatchObject({ state: 'fulfilled', value: null });
      else expect(ended.call.error).toBe(error);
      if (alerted) expect(alerts[0]?.error).toBe(error);
    });

    it.each([
      ['an HttpException below 500', new NotFoundException()],
      ['a redirect of Nest', new HttpException('Moved', 302)],
      ['a status', Object.assign(new Error('no'), { status: 404 })],
      ['a statusCode', { statusCode: 409 }],
      ['a response.status', Object.assign(new Error('no'), { response: { status: 422 } })],
      [
        '$metadata.httpStatusCode',
        Object.assign(new Error('no'), { $metadata: { httpStatusCode: 400 } }),
      ],
    ])('passes a client error on unchanged: %s', async (_what, error) => {
      const fallback = jest.fn(() => 'instead');
      const ended = await end(error, { critical, fallback });
      expect(ended).toMatchObject({ outcome: 'success', alerts: 0, tracked: 0 });
      expect(ended.call.error).toBe(error);
      expect(fallback).not.toHaveBeenCalled();
    });

    it.each([408, 425, 429, 500, 503])(
      'takes an answer of %i for the failure of the dependency that it is',
      async (status) => {
        const error = Object.assign(new Error('busy'), { status });
        const ended = await end(error, { critical, fallback: () => 'instead' });
        expect(ended).toMatchObject({ outcome: 'fallback', alerts: alerted, tracked: 1 });
      },
    );
  });

  describe('with a condition', () => {
    const methods = [
      ['critical', 'critical'],
      ['neither', 'neither'],
      ['nice to have', 'nice'],
    ] as const;

    it.each(methods)('that says yes gets the fallback: %s', async (_, method) => {
      expect(await catalogue[method]('a')).toBe('instead');
      expect(catalogue.calls).toEqual([['a', script.error]]);
      expect(alerts).toHaveLength(method === 'critical' ? 1 : 0);
    });

    it.each(methods)(
      'that says no gets what it would get without a fallback: %s',
      async (_, method) => {
        script.when = () => false;
        if (method === 'nice') expect(await catalogue.nice('a')).toBeNull();
        else expect(await failure(catalogue[method]('a'))).toBe(script.error);
        expect(catalogue.calls).toEqual([]);
        expect(alerts).toHaveLength(method === 'critical' ? 1 : 0);
      },
    );

    it.each(methods)('that says no to a client error passes it on: %s', async (_, method) => {
      script.when = () => false;
      script.error = new BadRequestException();
      expect(await failure(catalogue[method]('a'))).toBe(script.error);
      expect(alerts).toEqual([]);
    });

    it.each(methods)(
      'that says yes to a client error makes it a failure with a fallback: %s',
      async (_, method) => {
        script.error = new NotFoundException();
        expect(await catalogue[method]('a')).toBe('instead');
        expect(alerts).toHaveLength(method === 'critical' ? 1 : 0);
      },
    );

    it('that throws surfaces its error, and no fallback runs', async () => {
      const broken = new Error('a broken condition');
      const tags = { operation: 'Catalogue.neither', outcome: 'failure' };
      const failures = () => app.metrics.get('requests.total', tags);
      const before = failures();
      script.when = () => {
        throw broken;
      };
      expect(await failure(catalogue.neither('a'))).toBe(broken);
      expect(await failure(catalogue.critical('a'))).toBe(broken);
      expect(catalogue.calls).toEqual([]);
      expect(failures()).toBe(before + 1);
    });

    it('that answers with a promise, which would always be true, surfaces an error that says so', async () => {
      script.when = (() => Promise.reject(new Error('never unhandled'))) as unknown as When;
      const error = await failure(catalogue.neither('a'));
      expect(error).toBeInstanceOf(ResilienceConfigurationError);
      expect((error as Error).message).toMatch(/\.when: answered a promise.*true or false/);
      expect(catalogue.calls).toEqual([]);
    });

    it('is asked about the error, once', async () => {
      const when = jest.fn(() => true);
      script.when = when;
      await catalogue.neither('a');
      expect(when.mock.calls).toEqual([[script.error]]);
    });
  });

  describe('boots only', () => {
    async function boot(type: abstract new () => unknown, options: ResilienceModuleOptions = {}) {
      jest.useRealTimers();
      const module = await Test.createTestingModule({
        imports: [ResilienceModule.forRoot(options)],
        providers: [type as new () => unknown],
      }).compile();
      await module.close();
    }

    it('where an asynchronous condition is not one', async () => {
      class Wrong {
        @Fallback({ handler: 'other', when: (async () => true) as unknown as When })
        async find(): Promise<string> {
          return 'found';
        }

        async other(): Promise<string> {
          return 'other';
        }
      }
      expect(await failure(boot(Wrong))).toBeInstanceOf(ResilienceConfigurationError);
    });

    it('where the fallback method is there', async () => {
      class Wrong {
        @Fallback('missing')
        async find(): Promise<string> {
          return 'found';
        }
      }
      const error = await failure(boot(Wrong));
      expect(error).toBeInstanceOf(ResilienceConfigurationError);
      expect((error as Error).message).toMatch(/Wrong\.find.*missing/);
    });
  });

  describe('hands the fallback', () => {
    it('that is a method the arguments, then the error', async () => {
      await catalogue.named('a', 2);
      expect(catalogue.calls).toEqual([['a', 2, script.error]]);
    });

    it('that is a method the error in its own place, where an optional argument was left out', async () => {
      await catalogue.named('a');
      expect(catalogue.calls).toEqual([['a', undefined, script.error]]);
    });

    it('that is a function the error, then the arguments', async () => {
      expect(await catalogue.inline('a', 2)).toEqual([script.error, 'a', 2]);
    });

    it('the error of the timeout, while the method is still at work', async () => {
      const seen: unknown[] = [];
      const call = watch(
        app.pipeline({ timeoutMs: 100, fallback: (error) => seen.push(error) }).execute(never),
      );
      await elapse(100);
      expect(call.state).toBe('fulfilled');
      expect(seen).toMatchObject([{ name: 'TimeoutError' }]);
    });
  });

  it('lets a fallback be a resilient method itself', async () => {
    @Injectable()
    class Layered {
      @Fallback('second')
      async first(): Promise<string> {
        throw new Error('down');
      }

      @Timeout(50)
      @Fallback(() => 'third')
      async second(): Promise<string> {
        return never();
      }
    }
    const layered = await ResilienceApp.boot({}, [Layered]);
    const call = watch(layered.module.get(Layered).first());
    await elapse(50);
    expect(call.value).toBe('third');
    await layered.close();
  });

  describe("whose fallback fails links the call's error", () => {
    async function surfaced(error: unknown, fallbackError: unknown) {
      const { call } = await end(error, { fallback: () => Promise.reject(fallbackError) });
      return call.error;
    }

    it("as the cause of the fallback's own", async () => {
      const error = new Error('down');
      const fallbackError = new Error('down too');
      expect(await surfaced(error, fallbackError)).toBe(fallbackError);
      expect(fallbackError.cause).toBe(error);
      expect(Object.keys(fallbackError)).not.toContain('cause'); // as an ordinary cause
    });

    it('but leaves a cause alone that is there', async () => {
      const cause = new Error('deeper');
      const fallbackError = new Error('down too', { cause });
      await surfaced(new Error('down'), fallbackError);
      expect(fallbackError.cause).toBe(cause);
    });

    it('but not into a frozen error, which surfaces all the same', async () => {
      const fallbackError = Object.freeze(new Error('down too'));
      expect(await surfaced(new Error('down'), fallbackError)).toBe(fallbackError);
      expect(fallbackError.cause).toBeUndefined();
    });

    it('but not into itself, when the fallback rethrows it', async () => {
      const error = new Error('down');
      expect(await surfaced(error, error)).toBe(error);
      expect(error.cause).toBeUndefined();
    });

    it('but makes no circle where the error was caused by that of the fallback', async () => {
      const shared = new Error('the root of all');
      const error = new Error('down', { cause: new Error('between', { cause: shared }) });
      expect(await surfaced(error, shared)).toBe(shared);
      expect(shared.cause).toBeUndefined();
    });

    it('also where the chain of its causes is a circle already', async () => {
      const error = new Error('down');
      error.cause = new Error('caused by what it causes', { cause: error });
      const fallbackError = new Error('down too');
      expect(await surfaced(error, fallbackError)).toBe(fallbackError);
      expect(fallbackError.cause).toBe(error);
    });

    it('but not into what is no Error', async () => {
      expect(await surfaced(new Error('down'), 'a string')).toBe('a string');
      expect(await surfaced(new Error('down'), undefined)).toBeUndefined();
    });

    it('also where that is no Error itself', async () => {
      const fallbackError = new Error('down too');
      await surfaced('a string', fallbackError);
      expect(fallbackError.cause).toBe('a string');
    });
  });

  it('is not failed again by an alert channel that throws, rejects or hangs', async () => {
    for (const sendCritical of [
      () => {
        throw new Error('no pager');
      },
      () => Promise.reject(new Error('no pager')),
      never,
    ]) {
      const alerting = await ResilienceApp.boot({ alerts: { sendCritical } });
      alerting.module.useLogger(false);
      const error = new InternalServerErrorException();
      const pipeline = alerting.pipeline({ critical: true });
      expect(await failure(pipeline.execute(() => Promise.reject(error)))).toBe(error);
      await alerting.close();
    }
  });
});
