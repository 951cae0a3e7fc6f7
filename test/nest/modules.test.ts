import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  Injectable,
  Module,
  UseInterceptors,
} from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { afterLazyLoad } from '../../lib/nest/lazy-modules.js';
import { classesOf, modulesOf, valueIn } from '../../lib/nest/modules.js';
import { bootContext, closeAll, modulesIn } from './support.js';

afterEach(closeAll);

const VALUE = Symbol('value');

@Injectable()
class Service {}

@Injectable()
class Interceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle();
  }
}

@Controller()
@UseInterceptors(Interceptor)
class Routes {}

@Module({
  controllers: [Routes],
  providers: [
    Service,
    { provide: VALUE, useValue: 'given' },
    { provide: 'made', useFactory: () => new Map() },
    { provide: 'aliased', useExisting: Service },
  ],
})
class Feature {}

@Module({})
class Dynamic {
  static with(value: string): DynamicModule {
    return { module: Dynamic, providers: [{ provide: VALUE, useValue: value }] };
  }
}

@Module({ imports: [Feature, Dynamic.with('first'), Dynamic.with('second')] })
class Root {}

describe('Of the modules of an application', () => {
  it('the classes of providers, controllers and enhancers are known, each with its module', async () => {
    const app = await bootContext(Root);
    const found = [...classesOf(modulesIn(app))].map(([type, module]) => `${module}.${type.name}`);
    expect(found).toEqual(
      expect.arrayContaining(['Feature.Service', 'Feature.Routes', 'Feature.Interceptor']),
    );
  });

  it('those of a class are found, however often it was imported, with their values', async () => {
    const app = await bootContext(Root);
    const found = modulesOf(modulesIn(app), Dynamic, Feature);
    expect(found.map((module) => valueIn(module, VALUE))).toEqual(['given', 'first', 'second']);
    expect(valueIn(found[0] as never, Symbol('other'))).toBeUndefined();
  });

  it('one that is loaded lazily is told of before whoever asked for it gets it', async () => {
    @Module({ providers: [Service] })
    class Lazy {}
    const app = await bootContext(Dynamic.with('only'));
    const loader = app.get(LazyModuleLoader);
    let isKnown = false;
    afterLazyLoad(loader, () => {
      isKnown = [...classesOf(modulesIn(app))].some(([, module]) => module === 'Lazy');
    });
    const loaded = loader.load(() => Lazy);
    expect(isKnown).toBe(false);
    expect((await loaded).get(Service)).toBeInstanceOf(Service);
    expect(isKnown).toBe(true);
  });
});
