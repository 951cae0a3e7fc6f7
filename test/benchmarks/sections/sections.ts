import { boot } from '../experiments/boot.js';
import { bytes } from '../experiments/bytes.js';
import { httpRoutes } from '../experiments/http/routes.js';
import { idleBreakers } from '../experiments/idle-breakers.js';
import { queue } from '../experiments/queue.js';
import { timeouts } from '../experiments/timeouts.js';
import type { Section } from '../report/section.js';
import {
  allStages,
  callsInsideScope,
  equalCallsOfMethods,
  judgedResults,
  keyedBreakers,
  manyPlans,
  singleStages,
} from './decorated.js';
import { failuresInWindow, policiesAlone, rejections } from './policies.js';
import { currentSignals, plainCalls } from './surroundings.js';

/** Everything that is measured, in the order of the report. */
export const SECTIONS: readonly Section[] = [
  allStages,
  singleStages,
  callsInsideScope,
  equalCallsOfMethods,
  judgedResults,
  manyPlans,
  keyedBreakers,
  bytes,
  policiesAlone,
  plainCalls,
  currentSignals,
  rejections,
  failuresInWindow,
  idleBreakers,
  queue,
  timeouts,
  ...httpRoutes,
  boot,
];
