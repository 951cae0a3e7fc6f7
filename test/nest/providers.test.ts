import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Inject,
  Injectable,
  Module as NestModule,
  type OnModuleInit,
  Optional,
  type Provider,
} from '@nestjs/common';
import { LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import type { Class } from '../../lib/common/class.js';
import { type Module, modulesOf } from '../../lib/nest/modules.js';
import { consumerOf, offer, withdrawEmpty } from '../../lib/nest/providers.js';
import { bootContext, closeAll, modulesIn } from './support.js';

afterEach(closeAll);

const rootWith = (...providers: Provider[]) => {
  @NestModule({})
  class Root {}
  return { module: Root, providers };
};

describe('Who has a token injected', () => {
  @Injectable()
  class ByParameter {
    constructor(@Optional() @Inject('parameter') readonly value: unknown) {}
  }
  @Injectable()
  class ByProperty {
    @Optional() @Inject('property') value: unknown;
  }
  class Derived extends ByParameter {}
  const byFactory = {
    provide: 'by factory',
    inject: [{ token: 'argument', optional: true }],
    useFactory: (value: unknown) => ({ value }),
  };

  it.each([
    ['parameter', 'ByParameter'],
    ['property', 'ByProperty'],
    ['argument', 'by factory'],
    ['nobody wants it', undefined],
  ])('is known of a %s', async (token, consumer) => {
    const app = await bootContext(rootWith(ByParameter, ByProperty, byFactory));
    expect(consumerOf(token, modulesIn(app))).toBe(consumer);
  });

  it('is known of what a class inherits', async () => {
    const app = await bootContext(rootWith(Derived, { provide: 'parameter', useValue: 1 }));
    expect(consumerOf('parameter', modulesIn(app))).toBe('Derived');
  });
});

/** A root module that does something with the modules before anybody has asked the application for anything. */
const rootThat = (
  does: (modules: ModulesContainer, root: Class) => void,
  ...providers: Provider[]
) => {
  @NestModule({ providers, exports: providers })
  class Root implements OnModuleInit {
    constructor(private readonly modules: ModulesContainer) {}

    onModuleInit() {
      does(this.modules, Root);
    }
  }
  return Root;
};

describe('A value that is offered', () => {
  it('is there for app.get() and for modules that are loaded later', async () => {
    const Source = rootThat(
      (modules, root) => {
        const [module] = modulesOf(modules, root) as [Module];
        offer(module, 'offered', 'too');
        offer(module, 'there', 'again');
      },
      { provide: 'there', useValue: 'at first' },
    );
    const app = await bootContext(Source);
    expect(app.get('offered')).toBe('too');
    expect(app.get('there')).toBe('at first');
    @NestModule({
      imports: [Source],
      providers: [{ provide: 'user', inject: ['offered'], useFactory: (value) => `uses ${value}` }],
    })
    class Lazy {}
    const lazy = await app.get(LazyModuleLoader).load(() => Lazy);
    expect(lazy.get('user')).toBe('uses too');
  });

  it('is withdrawn where it has provided nothing', async () => {
    const app = await bootContext(
      rootThat(
        (modules) => {
          for (const token of ['empty', 'full']) withdrawEmpty(modules, token);
        },
        { provide: 'empty', useFactory: () => undefined },
        { provide: 'full', useFactory: () => 'something' },
      ),
    );
    expect(() => app.get('empty')).toThrow();
    expect(app.get('full')).toBe('something');
  });
});
