import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Bulkhead, CircuitBreaker, Fallback, Retry, Timeout } from 'nestjs-bulwark';
import { boot as bootWithLibrary, decorateMethod } from '../cases/application.js';
import { ANSWER } from '../cases/baselines.js';
import { GOALS } from '../goals.js';
import { derive, Samples } from '../lab/figure.js';
import type { Remote } from '../lab/remote.js';
import type { Experiment } from '../report/section.js';

type This = typeof import('./boot.js');
type Kind = 'decorated' | 'undecorated';

const CLASSES = 100;
const METHODS_EACH = 10;

/** @returns ms of CPU, from the classes on until the application is there */
export async function bootTime(kind: Kind): Promise<number> {
  const before = process.cpuUsage();
  const providers = Array.from({ length: CLASSES }, (_, index) => makeClass(index, kind));
  if (kind === 'decorated') await bootWithLibrary(providers);
  else await bootWithout(providers);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

class PlainModule {}

async function bootWithout(providers: Type[]): Promise<void> {
  await NestFactory.createApplicationContext({ module: PlainModule, providers }, { logger: false });
}

function makeClass(index: number, kind: Kind): Type {
  class Service {}
  Object.defineProperty(Service, 'name', { value: `Service${index}` });
  for (let number = 0; number < METHODS_EACH; number++) {
    const key = `method${number}`;
    const value = async () => ANSWER;
    Object.defineProperty(Service.prototype, key, { value, configurable: true, writable: true });
    if (kind === 'undecorated') continue;
    const stages = [Retry(), CircuitBreaker(), Timeout(1_000), Bulkhead(), Fallback(() => 0)];
    decorateMethod(Service.prototype, key, stages);
  }
  return Service;
}

export const boot: Experiment = {
  title: 'CPU time of a boot, 1,000 methods with five stages each',
  async measure(lab) {
    const samples = new Samples<Kind>();
    for (let round = 0; round < lab.effort.rounds; round++) {
      for (const kind of ['undecorated', 'decorated'] as const) {
        const ms = await lab.within(import.meta.url, (child: Remote<This>) =>
          child.call('bootTime', kind),
        );
        samples.add(kind, ms);
      }
    }
    const undecorated = samples.figure('undecorated', 'ms');
    const decorated = samples.figure('decorated', 'ms');
    return [
      { name: 'undecorated, without the module', takes: undecorated },
      {
        name: 'decorated',
        takes: decorated,
        compared: derive((read) => read(decorated) - read(undecorated), 'ms above'),
        goal: GOALS.boot,
      },
    ];
  },
};
