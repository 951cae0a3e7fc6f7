import { type CanActivate, Controller, Get, Injectable, Sse, UseGuards } from '@nestjs/common';
import {
  BehaviorSubject,
  defer,
  firstValueFrom,
  lastValueFrom,
  type Observable,
  of,
  throwError,
  timer,
  toArray,
} from 'rxjs';
import request from 'supertest';
import {
  Bulkhead,
  CircuitBreaker,
  CircuitBreakerRegistry,
  Critical,
  currentSignal,
  ErrorTracker,
  Fallback,
  InMemoryMetrics,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll, TWICE } from './support.js';

const escaped: unknown[] = [];
const onEscape = (reason: unknown) => escaped.push(reason);

beforeAll(() => process.on('unhandledRejection', onEscape));
afterAll(() => process.off('unhandledRejection', onEscape));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(escaped.splice(0)).toEqual([]);
  await closeAll();
});

/** What a compiler says of a method's return type that it cannot or does not tell. */
const UNTOLD = [
  ['no metadata, as with esbuild', undefined],
  ['Object, as for an alias or an interface', Object],
  ['Function, as for a type-only import', Function],
] as const;

const untold =
  (told: unknown): MethodDecorator =>
  (target, key) => {
    // After TypeScript's own decorator, which is the last in the list and so runs first.
    if (told === undefined) Reflect.deleteMetadata('design:returntype', target, key);
    else Reflect.defineMetadata('design:returntype', told, target, key);
  };

describe.each(UNTOLD)(
  'A method of whose return type the compiler says nothing (%s)',
  (_how, told) => {
    @Injectable()
    class Service {
      calls = 0;
      signals: (AbortSignal | undefined)[] = [];

      @untold(told)
      @Retry(TWICE)
      stream(...values: number[]): Observable<number> {
        this.signals.push(currentSignal());
        return ++this.calls % 2 === 1 ? throwError(() => new Error('down')) : of(...values);
      }

      @untold(told)
      @Retry(TWICE)
      promise(value: number): Promise<number> {
        return ++this.calls % 2 === 1 ? Promise.reject(new Error('down')) : Promise.resolve(value);
      }

      @untold(told)
      @CircuitBreaker({ failureThreshold: 1 })
      broken(): Observable<number> {
        this.calls++;
        return throwError(() => new Error('down'));
      }

      @untold(told)
      @CircuitBreaker({ failureThreshold: 1, successThreshold: 1 })
      fine(): Observable<number> {
        this.calls++;
        return of(1);
      }

      @untold(told)
      @Timeout(5)
      @Fallback(() => -1)
      slow(): Observable<number> {
        return timer(60_000);
      }

      @untold(told)
      @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
      single(): Observable<number> {
        return of(1);
      }

      @untold(told)
      @Critical(false)
      optional(): Observable<number> {
        return throwError(() => new Error('down'));
      }

      @untold(told)
      @Retry(TWICE)
      either(streams: boolean): Observable<number> | Promise<number> {
        return streams ? of(1) : Promise.resolve(2);
      }
    }

    const start = async () => {
      const { app, logger } = await boot({ providers: [Service] });
      return { app, logger, service: app.get(Service) };
    };

    it('works as the Observable it is from the first call on: nothing before subscription, a retry resubscribes', async () => {
      const { app, service } = await start();
      for (let call = 1; call <= 3; call++) {
        const values$ = service.stream(1, 2).pipe(toArray());
        await new Promise((resolve) => setImmediate(resolve));
        expect(service.calls).toBe(2 * call - 2);
        expect(await lastValueFrom(values$)).toEqual([1, 2]);
        expect(service.calls).toBe(2 * call);
      }
      expect(service.signals.every((signal) => signal !== undefined)).toBe(true);
      expect(app.get(InMemoryMetrics).get('requests.total', { outcome: 'success' })).toBe(3);
    });

    it('can be subscribed to without operators, given to operators, and iterated with forEach', async () => {
      const { service } = await start();
      const seen: number[] = [];
      await new Promise<void>((complete) => {
        service.stream(1).subscribe({ next: (value) => seen.push(value), complete });
      });
      const other = (await start()).service;
      expect(await firstValueFrom(defer(() => other.stream(2)))).toBe(2);
      const another = (await start()).service;
      await another.stream(3).forEach((value) => {
        seen.push(value);
      });
      expect(seen).toEqual([1, 3]);
    });

    it('works as the Promise it is from the first call on', async () => {
      const { app, service } = await start();
      for (let call = 1; call <= 3; call++) {
        expect(await service.promise(call)).toBe(call);
        expect(service.calls).toBe(2 * call);
      }
      expect(app.get(InMemoryMetrics).get('requests.total', { outcome: 'success' })).toBe(3);
    });

    it('is called once where nobody looks at its answer', async () => {
      const { service } = await start();
      void service.promise(1);
      while (service.calls < 2) await new Promise((resolve) => setImmediate(resolve));
      expect(service.calls).toBe(2);
    });

    it('that fails, and of whose answer nobody takes notice as a Promise, ends no process', async () => {
      const { service } = await start();
      await expect(lastValueFrom(service.broken())).rejects.toThrow('down');
      await expect(lastValueFrom(service.broken())).rejects.toThrow('"Service.broken" is open');
      expect(service.calls).toBe(1);
    });

    it('whose breaker is open at the first call tells its subscriber, and is not called', async () => {
      const { app, service } = await start();
      app.get(CircuitBreakerRegistry).get('Service.broken').forceOpen();
      await expect(lastValueFrom(service.broken().pipe(toArray()))).rejects.toThrow('is open');
      expect(service.calls).toBe(0);
    });

    it('whose breaker is open, kept and subscribed to later, ends no process and tells its subscriber', async () => {
      const { app, service } = await start();
      app.get(CircuitBreakerRegistry).get('Service.broken').forceOpen();
      const kept$ = service.broken();
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      await expect(lastValueFrom(kept$)).rejects.toThrow('is open');
      expect(service.calls).toBe(0);
    });

    it('keeps its timeout, its fallback, its bulkhead and what degrades it', async () => {
      const { service } = await start();
      expect(await lastValueFrom(service.slow())).toBe(-1);
      expect(await lastValueFrom(service.single())).toBe(1);
      expect(await lastValueFrom(service.single())).toBe(1);
      expect(await lastValueFrom(service.optional())).toBeNull();
    });

    it('awaited at its first call resolves to the protected Observable, and the breaker has learned nothing', async () => {
      const { app, service } = await start();
      const breaker = app.get(CircuitBreakerRegistry).get('Service.fine');
      const stream$ = (await (service.fine() as unknown)) as Observable<number>;
      expect(breaker.getSnapshot().calls).toBe(0);
      expect(await lastValueFrom(stream$)).toBe(1);
      expect(breaker.getSnapshot().calls).toBe(1);
      expect(app.get(InMemoryMetrics).get('requests.total')).toBe(1);
      expect(app.get(ErrorTracker).getMetrics().total).toBe(0);
    });

    it('kept, and subscribed to later at its first call, runs protected', async () => {
      const { service } = await start();
      const kept$ = service.stream(1);
      await new Promise((resolve) => setImmediate(resolve));
      expect(await lastValueFrom(kept$)).toBe(1);
    });

    it('may return now an Observable, now a Promise', async () => {
      const { service } = await start();
      expect(await lastValueFrom(service.either(true) as Observable<number>)).toBe(1);
      expect(await lastValueFrom(service.either(false) as Observable<number>)).toBe(2);
      expect(await service.either(false)).toBe(2);
      expect(await lastValueFrom(service.either(true) as Observable<number>)).toBe(1);
    });

    it('after Promises, an Observable is refused at once, with what to declare', async () => {
      const { service } = await start();
      expect(await service.either(false)).toBe(2);
      expect(() => service.either(true)).toThrow(
        /Service\.either: returns an Observable that it does not declare/,
      );
      expect(await lastValueFrom(service.either(true) as Observable<number>)).toBe(1);
    });

    it('is warned of at boot, with what to declare', async () => {
      const { logger } = await start();
      expect(logger.warnings()).toMatch(
        /Service\.promise: whether it returns a Promise or an Observable is not known before it is called; declare .*`import { type Observable }` hide it.*async/,
      );
    });
  },
);

describe('Handlers and guards of whose return type the compiler says nothing', () => {
  class Flags implements CanActivate {
    @untold(undefined)
    @Retry(TWICE)
    canActivate(): Observable<boolean> {
      return of(false);
    }
  }
  @Controller()
  class Home {
    calls = 0;
    @Get()
    @untold(undefined)
    @Retry(TWICE)
    get(): Observable<string> {
      return ++this.calls % 2 === 1 ? throwError(() => new Error('down')) : of('home');
    }
    @Sse('events')
    @untold(undefined)
    @Retry(TWICE)
    events(): Observable<{ data: string }> {
      return of({ data: 'news' });
    }
    @Get('closed')
    @UseGuards(Flags)
    closed() {
      return 'open';
    }
  }

  it('answer at every request, and stay closed where the guard says so', async () => {
    const { app, logger } = await boot({ controllers: [Home] });
    const server = app.getHttpServer();
    for (let call = 1; call <= 2; call++) {
      expect((await request(server).get('/')).text).toBe('home');
      expect((await request(server).get('/events')).text).toContain('data: news');
      expect((await request(server).get('/closed')).status).toBe(403);
    }
    expect(app.get(Home).calls).toBe(4);
    expect(logger.warnings()).not.toMatch(/Home\./);
  });
});

describe('A method that is declared to return more than a Promise or an Observable', () => {
  class Query extends Promise<number> {
    lean() {
      return this;
    }
  }
  @Injectable()
  class Service {
    @(Retry(TWICE) as MethodDecorator) // its types would refuse it
    state(): BehaviorSubject<number> {
      return new BehaviorSubject(1);
    }
    @(Retry(TWICE) as MethodDecorator)
    query(): Query {
      return Query.resolve(1) as Query;
    }
    @Retry(TWICE)
    plain(): Promise<number> {
      return Query.resolve(1);
    }
  }

  it('is warned of at boot, with what is left of it', async () => {
    const { app, logger } = await boot({ providers: [Service] });
    expect(logger.warnings()).toMatch(
      /Service\.state: is declared to return BehaviorSubject, but what its callers get is a plain Observable.*declare it to return Observable<…>/,
    );
    expect(logger.warnings()).toMatch(/Service\.query: is declared to return Query.*plain Promise/);
    expect(logger.warnings()).not.toMatch(/Service\.plain/);
    expect(await firstValueFrom(app.get(Service).state())).toBe(1);
    expect(await app.get(Service).query()).toBe(1);
  });
});
