import 'reflect-metadata';
import { Controller, Get, Injectable, SetMetadata, type Type } from '@nestjs/common';
import { lastValueFrom, Observable, Subject, throwError } from 'rxjs';
import ts from 'typescript';
import {
  CircuitBreaker,
  ErrorTracker,
  Fallback,
  Resilience,
  ResilienceConfigurationError,
  type ResilienceOptions,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import { boot, closeAll, TWICE } from './support.js';

afterEach(closeAll);

const down = () => Promise.reject(new Error('down'));

/** What libraries do to the methods that they decorate: the new one is a plain function. */
const Transactional: MethodDecorator = (_target, _key, descriptor) => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function (this: unknown, ...args: unknown[]) {
    return method.apply(this, args);
  } as never;
};

/** Boots an application of these classes: the names of their operations, and what boot says. */
async function covered(...providers: Type<object>[]) {
  const { app, logger } = await boot({ providers });
  const operations = app.get(ResilienceService).describe();
  const said = ['debug', 'log', 'warn'].flatMap((level) =>
    logger.messages(level, 'ResilienceModule').map((message) => `${level}: ${message}`),
  );
  return {
    app,
    operations: operations.map(({ operation }) => operation),
    report: said.filter((line) => /methods covered|reach no method/.test(line)),
    doubts: said.filter((line) => line.includes('not known before it is called')),
  };
}

describe('A class decorator reaches what is known to return a Promise or an Observable', () => {
  it('where another decorator has put a plain function in the place of an async method', async () => {
    @Injectable()
    @Retry(TWICE)
    class Users {
      calls = 0;
      @Transactional
      async save(): Promise<void> {
        this.calls++;
        await down();
      }
    }
    const { app, operations } = await covered(Users);
    expect(operations).toEqual(['Users.save']);
    await expect(app.get(Users).save()).rejects.toThrow('down');
    expect(app.get(Users).calls).toBe(2);
  });

  it('where a method that has a decorator is declared to return one, without being async', async () => {
    @Injectable()
    @Retry(TWICE)
    class Users {
      calls = 0;
      @SetMetadata('any', 'decorator')
      find(): Promise<string> {
        this.calls++;
        return down();
      }
      @SetMetadata('any', 'decorator')
      watch(): Observable<string> {
        return throwError(() => {
          this.calls++;
          return new Error('down');
        });
      }
    }
    const { app, operations } = await covered(Users);
    expect(operations).toEqual(['Users.find', 'Users.watch']);
    await expect(app.get(Users).find()).rejects.toThrow('down');
    await expect(lastValueFrom(app.get(Users).watch())).rejects.toThrow('down');
    expect(app.get(Users).calls).toBe(4);
  });

  it('in a class that the decorated one extends as well', async () => {
    class Base {
      @Transactional
      async save(): Promise<void> {}
    }
    @Injectable()
    @Retry(TWICE)
    class Users extends Base {}
    expect((await covered(Users)).operations).toEqual(['Users.save']);
  });

  it('where it is declared to return an Observable of another copy of rxjs, but not what merely has its name', async () => {
    const foreign = () =>
      class Observable {
        subscribe(): void {}
        pipe(): void {}
      };
    const declared = {
      watch: foreign(),
      more: class Observed extends foreign() {},
      publish: (() =>
        class Observable {
          subscribe(): void {}
        })(),
      read: (() =>
        class Observable {
          pipe(): void {}
        })(),
      nothing: null,
    };
    @Injectable()
    @Timeout(50)
    class Users {
      watch(): void {}
      more(): void {}
      publish(): void {}
      read(): void {}
      nothing(): void {}
    }
    for (const [key, type] of Object.entries(declared))
      Reflect.defineMetadata('design:returntype', type, Users.prototype, key);
    @Injectable()
    @Timeout(50)
    class Derived extends Users {}
    expect((await covered(Derived)).operations).toEqual(['Derived.watch']);
  });

  it('once, where a derived class has overridden it, and by what the derived class declares', async () => {
    class Base {
      async find(): Promise<string> {
        return 'found';
      }
      async count(): Promise<number> {
        return 1;
      }
    }
    @Injectable()
    @Timeout(50)
    class Users extends Base {
      override async find(): Promise<string> {
        return 'found again';
      }
      override count(): never {
        return 2 as never;
      }
    }
    const { app, operations } = await covered(Users);
    expect(operations).toEqual(['Users.find']);
    expect(await app.get(Users).find()).toBe('found again');
    expect(app.get(Users).count()).toBe(2);
  });

  it('but not the hooks that Nest calls at start and end, whose failure it would hide', async () => {
    @Injectable()
    @Timeout(50)
    class Users {
      async find(): Promise<void> {}
      async onModuleInit(): Promise<void> {}
      async onApplicationBootstrap(): Promise<void> {}
      async onModuleDestroy(): Promise<void> {}
      async beforeApplicationShutdown(): Promise<void> {}
      async onApplicationShutdown(): Promise<void> {}
    }
    const { operations, report } = await covered(Users);
    expect(operations).toEqual(['Users.find']);
    expect(report).toEqual(['debug: Users: 1 of 1 methods covered']);
  });

  it('and leaves it a writable, configurable method that enumeration does not show', () => {
    class Base {
      async inherited(): Promise<void> {}
    }
    @Timeout(50)
    class Users extends Base {
      async own(): Promise<void> {}
    }
    for (const key of ['own', 'inherited']) {
      expect(Object.getOwnPropertyDescriptor(Users.prototype, key)).toMatchObject({
        enumerable: false,
        writable: true,
        configurable: true,
      });
    }
  });

  it('but not what is declared to return more than the two, which a caller may use', async () => {
    class Query extends Promise<string> {
      lean(): this {
        return this;
      }
    }
    @Injectable()
    @Retry(TWICE)
    class Users {
      @SetMetadata('any', 'decorator')
      find(): Query {
        return Query.resolve('found') as Query;
      }
      @SetMetadata('any', 'decorator')
      state(): Subject<string> {
        return new Subject();
      }
      @SetMetadata('any', 'decorator')
      count(): number {
        return 7;
      }
      async save(): Promise<void> {}
    }
    const { app, operations, report } = await covered(Users);
    expect(operations).toEqual(['Users.save']);
    expect(app.get(Users).find().lean()).toBeInstanceOf(Query);
    expect(app.get(Users).count()).toBe(7);
    expect(report).toEqual([
      'log: Users: 1 of 4 methods covered; left out: find, state, count (not declared to return a Promise or an Observable)',
    ]);
  });
});

describe('A class decorator reaches async methods that were compiled to something older', () => {
  const source = `
    class Base { async find() { throw new Error('down'); } }
    exports.Users = class Users extends Base {
      calls = 0;
      async plain(id) { this.calls++; throw new Error('down'); }
      async withDefaults(id, { force } = { force: true }) { this.calls++; return super.find(id); }
      async withRest(...ids) { this.calls++; await null; throw new Error('down'); }
      sync(id) { const later = async () => { await null; }; later(); return 1; }
      saga(id) { return run(function* () { yield 1; }); }
      effect(id) { return Effect.gen(function* () { yield 1; }).pipe(id); }
      given(id) { return run(this, id); }
    };`;

  const evaluate = (code: string) => {
    const exports = {} as { Users: Type<{ calls: number } & Record<string, () => Promise<void>>> };
    new Function('exports', 'require', code)(exports, () => ({}));
    return exports.Users;
  };
  const compile = (target: ts.ScriptTarget) =>
    ts.transpileModule(source, { compilerOptions: { target, module: ts.ModuleKind.CommonJS } })
      .outputText;
  /** As a minifier leaves it: without the helpers' names, and without spaces. */
  const minified = (code: string) =>
    code
      .replaceAll('__awaiter', 'e')
      .replace(/const _super = /g, 'const t=')
      .replaceAll('_super', 't')
      .replace(/, /g, ',')
      .replace(/function\* /g, 'function*');

  it.each([
    ['ES2016', () => compile(ts.ScriptTarget.ES2016)],
    ['ES2015', () => compile(ts.ScriptTarget.ES2015)],
    ['ES2016, minified', () => minified(compile(ts.ScriptTarget.ES2016))],
  ])('for %s by TypeScript', async (_target, code) => {
    const Users = evaluate(code());
    Retry(TWICE)(Users);
    const { app, operations, report, doubts } = await covered(Users);
    expect(doubts).toEqual([]);
    expect(operations).toEqual([
      'Users.plain',
      'Users.withDefaults',
      'Users.withRest',
      'Users.find',
    ]);
    await expect(app.get(Users).plain?.()).rejects.toThrow('down');
    await expect(app.get(Users).withDefaults?.()).rejects.toThrow('down');
    expect(app.get(Users).calls).toBe(4);
    expect(report).toEqual([
      'log: Users: 4 of 8 methods covered; left out: sync, saga, effect, given (not declared to return a Promise or an Observable)',
    ]);
  });

  it.each([
    ['esbuild', 'return __async(this, null, function* () { yield 1; });'],
    ['esbuild, minified', 'return s(this,arguments,function*(e,r){yield 1})'],
    ['tslib', 'return (0, tslib_1.__awaiter)(this, void 0, void 0, function* () { yield 1; });'],
    ['tslib, minified', 'return(0,n.b)(this,void 0,void 0,(function*(){yield 1}))'],
    ['Babel', 'var _this = this; return _asyncToGenerator(function* () { yield _this; })();'],
    ['Babel, minified', 'var t=this;return e(function*(){yield t})()'],
    ['SWC', 'return _async_to_generator(function*() { yield 1; }).apply(this, arguments);'],
    ['SWC, minified', 'return r(function*(){yield 1}).call(this)'],
  ])('for the helper of %s', async (_compiler, body) => {
    const Users = new Function(`return class Users { save(id) { ${body} } }`)() as Type<object>;
    Timeout(1_000)(Users);
    expect((await covered(Users)).operations).toEqual(['Users.save']);
  });
});

describe('An async generator that was lowered is taken for what it was', () => {
  const generators = `exports.Feed = class Feed {
      async find() { return 1; }
      async *values() { yield 1; yield 2; }
    };`;
  const lowered = () => {
    const compilerOptions = { target: ts.ScriptTarget.ES2017, module: ts.ModuleKind.CommonJS };
    const exports = {} as { Feed: Type<{ values(): AsyncGenerator<number> }> };
    const code = ts.transpileModule(generators, { compilerOptions }).outputText;
    new Function('exports', 'require', code)(exports, () => ({}));
    return exports.Feed;
  };
  const read = async (values: AsyncGenerator<number>) => {
    const all: number[] = [];
    for await (const value of values) all.push(value);
    return all;
  };

  it('left out of what is said on its class, as one that was not lowered', async () => {
    const Feed = lowered();
    Timeout(1_000)(Feed);
    const { app, operations, report } = await covered(Feed);
    expect(operations).toEqual(['Feed.find']);
    expect(report).toEqual([
      'log: Feed: 1 of 2 methods covered; left out: values (not declared to return a Promise or an Observable)',
    ]);
    expect(await read(app.get(Feed).values())).toEqual([1, 2]);
  });

  it('iterated by callers where it has a decorator of its own', async () => {
    const Feed = lowered();
    const values = Object.getOwnPropertyDescriptor(Feed.prototype, 'values') as PropertyDescriptor;
    (Timeout(1_000) as MethodDecorator)(Feed.prototype, 'values', values);
    Object.defineProperty(Feed.prototype, 'values', values);
    const { app, operations, doubts } = await covered(Feed);
    expect(operations).toEqual(['Feed.values']);
    expect(doubts).toEqual([]);
    expect(await read(app.get(Feed).values())).toEqual([1, 2]);
  });

  it.each([
    ['esbuild', 'return __asyncGenerator(this, null, function* () { yield 1; yield 2; });'],
    ['Babel', 'return _wrapAsyncGenerator(function* () { yield 1; yield 2; })();'],
    [
      'SWC',
      'return _wrap_async_generator(function*() { yield 1; yield 2; }).apply(this, arguments);',
    ],
  ])('by the helper of %s', async (_compiler, body) => {
    const Feed = new Function(`return class Feed { values() { ${body} } }`)() as Type<object>;
    Timeout(1_000)(Feed);
    expect((await covered(Feed)).operations).toEqual([]);
  });
});

describe('Boot says in one line a class what its decorators do not reach', () => {
  it('at log level where a method may have been meant', async () => {
    @Injectable()
    @CircuitBreaker({})
    class UsersRepository {
      async findById(): Promise<void> {}
      async save(): Promise<void> {}
      size(): number {
        return 1;
      }
      format(): string {
        return '';
      }
      get accessor(): number {
        return 1;
      }
      async onModuleInit(): Promise<void> {}
    }
    expect((await covered(UsersRepository)).report).toEqual([
      'log: UsersRepository: 2 of 4 methods covered; left out: size, format (not declared to return a Promise or an Observable)',
    ]);
  });

  it('at debug level where all are, or the user has said which', async () => {
    @Injectable()
    @Timeout(50)
    class Whole {
      async find(): Promise<void> {}
    }
    @Injectable()
    @Timeout(50)
    @Resilience({ exclude: ['size'] })
    class Chosen {
      async find(): Promise<void> {}
      size(): number {
        return 1;
      }
    }
    @Controller()
    @Timeout(50)
    class Routes {
      @Get()
      async find(): Promise<void> {}
      helper(): number {
        return 1;
      }
    }
    expect((await covered(Whole, Chosen, Routes)).report).toEqual([
      'debug: Whole: 1 of 1 methods covered',
      'debug: Chosen: 1 of 2 methods covered; left out: size (excluded)',
      'debug: Routes: 1 of 2 methods covered; left out: helper (not a handler)',
    ]);
  });

  it('as a warning where nothing is reached', async () => {
    @Injectable()
    @Retry()
    class Helpers {
      double(n: number): number {
        return n * 2;
      }
    }
    expect((await covered(Helpers)).report).toEqual([
      'warn: Helpers: its resilience decorators reach no method; left out: double (not declared to return a Promise or an Observable)',
    ]);
  });

  it('and nothing of a class that is only given a name, or has no decorators', async () => {
    @Injectable()
    @Resilience({ name: 'named' })
    class Named {
      async plain(): Promise<void> {}
      @Retry(TWICE)
      async own(): Promise<void> {}
    }
    const { operations, report } = await covered(Named);
    expect(operations).toEqual(['named.own']);
    expect(report).toEqual([]);
  });
});

describe('A method that a fallback names is left out of what is said on its class', () => {
  const once = { failureThreshold: 1 };
  const options = { breakers: { db: once } };
  /** Fails twice: the second time, the breaker is open. */
  async function answersOf(type: Type<{ find(): Promise<string> }>) {
    const { app } = await boot({ providers: [type] }, options);
    const operations = app.get(ResilienceService).describe();
    return {
      app,
      operations: operations.map(({ operation }) => operation).sort(),
      answers: [await app.get(type).find(), await app.get(type).find()],
    };
  }

  it('so that it answers while the breaker of the class is open, and is counted once', async () => {
    @Injectable()
    @CircuitBreaker('db')
    class Users {
      @Fallback('cached')
      async find(): Promise<string> {
        return down();
      }
      async cached(): Promise<string> {
        return 'cached';
      }
    }
    const { app, operations, answers } = await answersOf(Users);
    expect(answers).toEqual(['cached', 'cached']);
    expect(operations).toEqual(['Users.find']);
    const counted = app.get(ErrorTracker).getMetrics();
    expect([counted.requests, counted.total]).toEqual([2, 2]);
  });

  it('by its own decorators it goes on, which are all that it has', async () => {
    @Injectable()
    @CircuitBreaker('db')
    class Users {
      @Fallback('cached')
      async find(): Promise<string> {
        return down();
      }
      @Timeout(50)
      async cached(): Promise<string> {
        return 'cached';
      }
    }
    const { app, answers } = await answersOf(Users);
    expect(answers).toEqual(['cached', 'cached']);
    const cached = app
      .get(ResilienceService)
      .describe()
      .find(({ operation }) => operation === 'Users.cached');
    expect(cached?.stages).toEqual({ timeout: { timeoutMs: 50 } });
  });

  it('also where the class names it, by options, or by a symbol', async () => {
    const cached = Symbol('cached');
    @Injectable()
    @CircuitBreaker('db')
    @Fallback({ handler: cached })
    class Users {
      async find(): Promise<string> {
        return down();
      }
      async [cached](): Promise<string> {
        return 'cached';
      }
    }
    const { operations, answers } = await answersOf(Users);
    expect(answers).toEqual(['cached', 'cached']);
    expect(operations).toEqual(['Users.find']);
  });

  it('also where the two are of different classes of one line', async () => {
    class Base {
      @Fallback('cached')
      async find(): Promise<string> {
        return down();
      }
    }
    @Injectable()
    @CircuitBreaker('db')
    class Users extends Base {
      async cached(): Promise<string> {
        return 'cached';
      }
    }
    @CircuitBreaker('db')
    class Cached {
      async cached(): Promise<string> {
        return 'cached';
      }
    }
    @Injectable()
    class Derived extends Cached {
      @Fallback('cached')
      async find(): Promise<string> {
        return down();
      }
      override async cached(): Promise<string> {
        return super.cached();
      }
    }
    expect((await answersOf(Users)).answers).toEqual(['cached', 'cached']);
    expect((await answersOf(Derived)).answers).toEqual(['cached', 'cached']);
  });

  it('also where it is named by a method that a derived class has overridden and calls', async () => {
    class Base {
      @Fallback('cached')
      async find(): Promise<string> {
        return down();
      }
      async cached(): Promise<string> {
        return 'nothing';
      }
    }
    @Injectable()
    @CircuitBreaker('db')
    class Users extends Base {
      override async find(): Promise<string> {
        return super.find();
      }
      override async cached(): Promise<string> {
        return 'cached';
      }
      async trip(): Promise<string> {
        return down();
      }
    }
    const { app } = await boot({ providers: [Users] }, options);
    expect(await app.get(Users).find()).toBe('cached');
    await expect(app.get(Users).trip()).rejects.toThrow('down');
    expect(await app.get(Users).cached()).toBe('cached'); // though the breaker is open now
    const operations = app.get(ResilienceService).describe();
    expect(operations.map(({ operation }) => operation)).not.toContain('Users.cached');
  });

  it('unless the class includes it by name, and boot says that it is left out', async () => {
    @Injectable()
    @CircuitBreaker('db')
    @Resilience({ include: ['included'] })
    class Users {
      @Fallback('included')
      async find(): Promise<string> {
        return down();
      }
      @Fallback('cached')
      async save(): Promise<string> {
        return down();
      }
      async included(): Promise<string> {
        return 'included';
      }
      async cached(): Promise<string> {
        return 'cached';
      }
    }
    const { app, logger } = await boot({ providers: [Users] }, options);
    expect(logger.messages('debug', 'ResilienceModule')).toContain(
      'Users: 3 of 4 methods covered; left out: cached (a fallback)',
    );
    await expect(app.get(Users).find()).rejects.toThrow('"db" is open');
  });
});

describe('@Resilience on a class', () => {
  it('includes methods by name, strings and symbols, written above or below the others', async () => {
    const key = Symbol('key');
    class Base {
      calls = 0;
      find(): Promise<string> {
        this.calls++;
        return down();
      }
      [key](): Promise<string> {
        return down();
      }
    }
    @Injectable()
    @Resilience({ include: ['find', key] })
    @Retry(TWICE)
    class Above extends Base {}
    @Injectable()
    @Retry(TWICE)
    @Resilience({ include: ['find', key] })
    class Below extends Base {}
    const { app, operations } = await covered(Above, Below);
    expect(operations).toEqual([
      'Above.find',
      'Above.Symbol(key)',
      'Below.find',
      'Below.Symbol(key)',
    ]);
    for (const type of [Above, Below]) {
      await expect(app.get(type).find()).rejects.toThrow('down');
      expect(app.get(type).calls).toBe(2);
    }
  });

  it('excludes methods by name; their own decorators stand', async () => {
    @Injectable()
    @Retry({ maxAttempts: 5 })
    @Resilience({ exclude: ['save', 'remove'] })
    class Users {
      calls = 0;
      async find(): Promise<void> {}
      async save(): Promise<void> {
        this.calls++;
        await down();
      }
      @Timeout(50)
      async remove(): Promise<void> {}
    }
    const { app, operations } = await covered(Users);
    expect(operations.sort()).toEqual(['Users.find', 'Users.remove']);
    await expect(app.get(Users).save()).rejects.toThrow('down');
    expect(app.get(Users).calls).toBe(1);
    const remove = app
      .get(ResilienceService)
      .describe()
      .find(({ operation }) => operation === 'Users.remove');
    expect(remove?.stages).toEqual({ timeout: { timeoutMs: 50 } });
  });

  it('has the last word over what the class that it extends has chosen', async () => {
    @Injectable()
    @Timeout(50)
    @Resilience({ include: ['size'], exclude: ['save'] })
    class Base {
      async find(): Promise<void> {}
      async save(): Promise<void> {}
      size(): Promise<number> {
        return Promise.resolve(1);
      }
    }
    @Injectable()
    @Resilience({ include: ['save'], exclude: ['size'] })
    class Derived extends Base {}
    expect((await covered(Base, Derived)).operations.sort()).toEqual([
      'Base.find',
      'Base.size',
      'Derived.find',
      'Derived.save',
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['include', ['fnd'], /^Users @Resilience\(\)\.include: .*no method fnd .*; known: find, save/],
    ['exclude', ['toString'], /^Users @Resilience\(\)\.exclude: Users has no method toString/],
    ['exclude', ['constructor'], /exclude: Users has no method constructor/],
    ['include', ['accessor'], /include: Users has no method accessor/],
    ['include', 'find', /^Users @Resilience\(\)\.include: is "find"; allowed: an array of names/],
  ])('refuses %s: %p, with the methods that there are', async (option, value, message) => {
    @Injectable()
    @Timeout(50)
    @Resilience({ [option]: value } as ResilienceOptions)
    class Users {
      async find(): Promise<void> {}
      async save(): Promise<void> {}
      get accessor(): number {
        return 1;
      }
    }
    const booting = boot({ providers: [Users] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(message);
  });

  it('refuses a method that is included and excluded, and either on a method', async () => {
    @Injectable()
    @Resilience({ include: ['find'], exclude: ['find'] })
    class Both {
      async find(): Promise<void> {}
    }
    await expect(boot({ providers: [Both] })).rejects.toThrow(
      'Both @Resilience(): has find in include and in exclude',
    );
    @Injectable()
    class OnMethod {
      @Resilience({ include: ['find'] })
      async find(): Promise<void> {}
    }
    await expect(boot({ providers: [OnMethod] })).rejects.toThrow(
      'OnMethod.find @Resilience().include: is given on a method; allowed: on a class',
    );
  });
});
