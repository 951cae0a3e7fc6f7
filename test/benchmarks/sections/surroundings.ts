import baselines from '../cases/baselines.js';
import currentSignal from '../cases/current-signal.js';
import beside from '../cases/plain-beside-library.js';
import { GOALS } from '../goals.js';
import type { Comparison } from '../report/section.js';
import { PLAIN, times } from './rows.js';

export const plainCalls: Comparison = {
  title: 'A plain call in a process that has used the library, without any deadline',
  rows: [PLAIN, times(PLAIN, 'beside the library', beside.plain, GOALS.plainBesideLibrary)],
};

const CONTROLLER = {
  name: 'what the controller adds',
  takes: [baselines.abortController, baselines.plain],
} as const;

export const currentSignals: Comparison = {
  title: 'Reading currentSignal()',
  rows: [
    {
      name: 'plain async call, new AbortController().signal',
      takes: baselines.abortController,
    },
    { name: '@Retry @Timeout', takes: currentSignal.deaf },
    { name: '@Retry @Timeout, and currentSignal()', takes: currentSignal.listening },
    CONTROLLER,
    times(
      CONTROLLER,
      'what currentSignal() adds',
      [currentSignal.listening, currentSignal.deaf],
      GOALS.currentSignal,
    ),
  ],
};
