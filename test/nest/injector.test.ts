import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, Scope } from '@nestjs/common';
import { ModuleRef, type ModulesContainer } from '@nestjs/core';
import type { Class } from '../../lib/common/class.js';
import { type Application, takePartInInjection } from '../../lib/nest/injector.js';
import { modulesOf } from '../../lib/nest/modules.js';
import { bootContext, closeAll } from './support.js';

class Wanted {
  readonly madeBy = Recorder.making;
}

/** An application that notes what it is given. */
class Recorder implements Application {
  static making: string | undefined;
  readonly constructed: string[] = [];
  readonly adopted: unknown[] = [];

  wants(type: Class): boolean {
    return type.prototype instanceof Wanted;
  }

  construct(type: Class, args: unknown[]): object {
    this.constructed.push(type.name);
    Recorder.making = 'construct';
    try {
      return Reflect.construct(type, args) as object;
    } finally {
      Recorder.making = undefined;
    }
  }

  expect(type: Class): () => void {
    this.constructed.push(`${type.name} by itself`);
    Recorder.making = 'itself';
    return () => {
      Recorder.making = undefined;
    };
  }

  adopt(instance: unknown): void {
    this.adopted.push(instance);
  }
}

@Module({})
class Marker {}

const applications = new WeakMap<ModulesContainer, Recorder>();
let recorder: Recorder;

takePartInInjection((modules) => {
  if (modulesOf(modules, Marker).length === 0) return undefined;
  const known = applications.get(modules) ?? new Recorder();
  applications.set(modules, known);
  recorder = known;
  return known;
});

afterEach(closeAll);

@Injectable()
class Service extends Wanted {}
@Injectable({ scope: Scope.TRANSIENT })
class Transient extends Wanted {}
@Injectable({ scope: Scope.REQUEST })
class PerRequest extends Wanted {}
@Injectable()
class Indifferent {}

describe('What the injector of an application makes', () => {
  it('is made by the application where it wants that, in every scope', async () => {
    @Module({ imports: [Marker], providers: [Service, Transient, PerRequest, Indifferent] })
    class Root {}
    const app = await bootContext(Root);
    const made = [
      app.get(Service),
      await app.resolve(Transient),
      await app.resolve(PerRequest),
    ] as Wanted[];
    expect(made.map(({ madeBy }) => madeBy)).toEqual(['construct', 'construct', 'construct']);
    expect(made.map((each) => each.constructor)).toEqual([Service, Transient, PerRequest]);
    expect(recorder.constructed).not.toContain('Indifferent');
  });

  it('is adopted where a factory or a value provides it, before anybody else gets it', async () => {
    const value = { a: 'value' };
    const made = { by: 'a factory' };
    const later = { by: 'an async factory' };
    const seen: boolean[] = [];
    @Module({
      imports: [Marker],
      providers: [
        { provide: 'value', useValue: value },
        { provide: 'made', useFactory: () => made },
        { provide: 'later', useFactory: async () => later },
        {
          provide: 'user',
          inject: ['value', 'made', 'later'],
          useFactory: (...all: unknown[]) => {
            seen.push(...all.map((each) => recorder.adopted.includes(each)));
            return {};
          },
        },
      ],
    })
    class Root {}
    await bootContext(Root);
    expect(seen).toEqual([true, true, true]);
  });

  it('is expected where ModuleRef.create() constructs it by itself', async () => {
    @Module({ imports: [Marker], providers: [Indifferent] })
    class Root {}
    const app = await bootContext(Root);
    const created = await app.get(ModuleRef).create(Service);
    expect(created.madeBy).toBe('itself');
    await app.get(ModuleRef).create(Indifferent);
    expect(recorder.constructed).toEqual(['Service by itself']);
  });

  it('is made by Nest alone in an application that does not take part', async () => {
    @Module({ providers: [Service] })
    class Root {}
    const app = await bootContext(Root);
    expect(app.get(Service).madeBy).toBeUndefined();
  });
});
