import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Module, type Provider } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { takePartInInjection } from '../../lib/nest/injector.js';
import { modulesOf } from '../../lib/nest/modules.js';
import { ownFactory, watchOverrides } from '../../lib/nest/overrides.js';
import { bootContext, closeAll } from './support.js';

afterEach(closeAll);

class Original {}
class Other {}

@Module({})
class Root {}

let told: unknown[] = [];
const watched = new WeakSet<ModulesContainer>();

// Asked before the first provider is made, as the application's own part in injection is.
takePartInInjection((modules) => {
  if (watched.has(modules)) return undefined;
  watched.add(modules);
  told = [];
  const tokens = new Set<unknown>([Original, 'ours']);
  for (const module of modulesOf(modules, Root))
    watchOverrides(module, tokens, (token, override) => told.push([token, override]));
  return undefined;
});

const boot = (override: Provider) => {
  const ours: Provider = { provide: 'ours', useFactory: ownFactory(() => 'what is ours') };
  return bootContext({ module: Root, providers: [ours, override] });
};

describe('What stands in the place of a provider is told of, and what is ours is not', () => {
  it.each<[string, Provider]>([
    ['a value', { provide: Original, useValue: new Other() }],
    ['a class', { provide: Original, useClass: Other }],
    ['a factory', { provide: Original, useFactory: () => new Other() }],
    ['an async factory', { provide: Original, useFactory: async () => new Other() }],
  ])('be it %s', async (_kind, override) => {
    const app = await boot(override);
    expect(app.get(Original)).toBeInstanceOf(Other);
    expect(told).toEqual([[Original, app.get(Original)]]);
    expect(app.get('ours')).toBe('what is ours');
  });

  it('when it is overridden itself', async () => {
    const app = await boot({ provide: 'ours', useValue: 'a stub' });
    expect(told).toEqual([['ours', 'a stub']]);
    expect(app.get('ours')).toBe('a stub');
  });
});
