import { Injectable } from '@nestjs/common';
import { Fallback, ResilienceConfigurationError, ResilienceService } from '../../lib/index.js';
import { boot, closeAll } from './support.js';

afterEach(closeAll);

const down = () => Promise.reject(new Error('down'));
const symbol = Symbol('cached');

class Methods {
  async run(): Promise<string> {
    return down();
  }
  async one(): Promise<string> {
    return down();
  }
  async two(): Promise<string> {
    return down();
  }
  async three(): Promise<string> {
    return 'three';
  }
  async [symbol](): Promise<string> {
    return down();
  }
}

type Key = Exclude<keyof Methods, number>;

/** A class whose methods fall back on each other as told. */
function falling(next: [from: Key, to: string | symbol][]) {
  class Service extends Methods {}
  for (const [from, to] of next) {
    const descriptor = { ...Object.getOwnPropertyDescriptor(Methods.prototype, from) };
    (Fallback(to) as MethodDecorator)(Service.prototype, from, descriptor);
    Object.defineProperty(Service.prototype, from, descriptor);
  }
  Injectable()(Service);
  return Service;
}

describe('Fallbacks that name methods', () => {
  it.each<[string, [Key, string | symbol][], string]>([
    [
      'two on each other',
      [
        ['one', 'two'],
        ['two', 'one'],
      ],
      'Service.one @Fallback(): goes in a circle: one -> two -> one; allowed: fallbacks that end',
    ],
    [
      'three in a row',
      [
        ['one', 'two'],
        ['two', 'run'],
        ['run', 'one'],
      ],
      'Service.one @Fallback(): goes in a circle: one -> two -> run -> one',
    ],
    [
      'two, and one that leads to them',
      [
        ['run', 'one'],
        ['one', 'two'],
        ['two', 'one'],
      ],
      'Service.one @Fallback(): goes in a circle: one -> two -> one',
    ],
    [
      'two, of which one is keyed by a symbol',
      [
        [symbol, 'one'],
        ['one', symbol],
      ],
      'Service.one @Fallback(): goes in a circle: one -> Symbol(cached) -> one',
    ],
  ])('in a circle fail the boot, with the way: %s', async (_what, next, message) => {
    const booting = boot({ providers: [falling(next)] });
    await expect(booting).rejects.toBeInstanceOf(ResilienceConfigurationError);
    await expect(booting).rejects.toThrow(message);
  });

  it('may lead from one to the next, as long as they end', async () => {
    const Service = falling([
      ['run', 'one'],
      ['one', 'two'],
      ['two', 'three'],
      [symbol, 'two'],
    ]);
    const { app } = await boot({ providers: [Service] });
    expect(await app.get(Service).run()).toBe('three');
    expect(await app.get(Service)[symbol]()).toBe('three');
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', 'size', 'field'])(
    'fail the boot where the name is that of no method: %s',
    async (name) => {
      @Injectable()
      class Service {
        get size(): number {
          return 1;
        }
        @Fallback(name)
        async run(): Promise<string> {
          return down();
        }
      }
      Object.assign(Service.prototype, { field: 'a constant' });
      await expect(boot({ providers: [Service] })).rejects.toThrow(
        `Service.run @Fallback(): Service has no method "${name}"; allowed: the name of one of its methods, or a function`,
      );
    },
  );

  it('find those that the class inherits, and those that it overrides', async () => {
    class Base {
      toString(): string {
        return 'a base';
      }
      async cached(): Promise<string> {
        return 'cached';
      }
    }
    @Injectable()
    class Service extends Base {
      @Fallback('cached')
      async run(): Promise<string> {
        return down();
      }
      @Fallback('toString')
      async shown(): Promise<string> {
        return down();
      }
    }
    const { app } = await boot({ providers: [Service] });
    expect(await app.get(Service).run()).toBe('cached');
    expect(await app.get(Service).shown()).toBe('a base');
  });

  it('of a class are for all of its methods but the one that they name', async () => {
    @Injectable()
    @Fallback('cached')
    class Service {
      async run(): Promise<string> {
        return down();
      }
      @Fallback(() => 'an old one')
      async cached(): Promise<string> {
        return down();
      }
    }
    const { app } = await boot({ providers: [Service] });
    expect(await app.get(Service).run()).toBe('an old one');
    const fallbacks = app.get(ResilienceService).describe();
    expect(fallbacks.map(({ operation, stages }) => [operation, stages.fallback])).toEqual([
      ['Service.run', { handler: 'cached' }],
      ['Service.cached', { handler: 'a function' }],
    ]);
  });
});
