import { Injectable } from '@nestjs/common';
import { currentSignal, Retry, Timeout } from 'nestjs-bulwark';
import { provide } from '../cases/application.js';
import baselines, { ABORT_CONTROLLER, keep, PLAIN, work } from '../cases/baselines.js';
import { GOALS } from '../goals.js';
import type { Case } from '../lab/case.js';
import type { Section } from '../report/section.js';

@Injectable()
class Client {
  @Retry()
  @Timeout(1_000)
  async deaf(): Promise<number> {
    return await work();
  }

  @Retry()
  @Timeout(1_000)
  async listening(): Promise<number> {
    keep(currentSignal());
    return await work();
  }
}

const DEAF: Case = {
  name: 'decorated method',
  setup: async () => {
    const client = await provide(Client);
    return () => client.deaf();
  },
};
const LISTENING: Case = {
  name: 'decorated method that reads currentSignal()',
  setup: async () => {
    const client = await provide(Client);
    return () => client.listening();
  },
};

const module = { source: import.meta.url, cases: [DEAF, LISTENING] };
export default module;

export const currentSignalCost: Section = {
  title: 'Reading currentSignal()',
  async measure(lab) {
    const rounds = await lab.race([
      // Each in its own process: one must not clear up the signals that another has left.
      { module: baselines, names: [PLAIN.name] },
      { module: baselines, names: [ABORT_CONTROLLER.name] },
      { module, names: [DEAF.name] },
      { module, names: [LISTENING.name] },
    ]);
    const added = (of: (name: string) => number) => of(LISTENING.name) - of(DEAF.name);
    const addedByController = (of: (name: string) => number) =>
      of(ABORT_CONTROLLER.name) - of(PLAIN.name);
    const shown = [PLAIN, ABORT_CONTROLLER, DEAF, LISTENING];
    return [
      ...shown.map(({ name }) => ({ name, ns: rounds.median(name) })),
      { name: 'what new AbortController().signal adds', ns: rounds.median(addedByController) },
      {
        name: 'what currentSignal() adds',
        ns: rounds.median(added),
        value: rounds.median(added) / rounds.median(addedByController), // of differences, no round is exact
        unit: '× what the controller adds',
        goal: GOALS.currentSignal,
      },
    ];
  },
};
