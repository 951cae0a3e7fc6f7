import { merge } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { type FallbackOptions, fallbackArgument, fallbackMethodOf } from './fallback.options.js';
import { type FallbackFunction, FallbackPolicy } from './fallback.policy.js';

/** What is typed of it. */
export interface FallbackTypes {
  name: 'fallback';
  policy: FallbackPolicy;
  service: {
    /** Answers in place of a call that failed for good: a function, or `{ handler, when, whenResult }`. */
    fallback?: FallbackFunction | FallbackOptions<FallbackFunction>;
  };
  /** The handler's name. */
  described: { handler: string };
  event: {
    type: 'fallback';
    operation: string;
    error: unknown;
    succeeded: boolean;
    fallbackError?: unknown;
  };
}

/** Answers in place of a call that failed for good. */
export const fallbackStage: StageDefinition<FallbackTypes> = {
  name: 'fallback',
  title: 'fallback',
  place: 'call',
  rule: (value, place) => {
    const handler = fallbackMethodOf(fallbackArgument(place, value));
    return handler === undefined
      ? undefined
      : 'a function, or { handler, when, whenResult } with one';
  },
  catalog: () => ({
    resolve({ place, values }) {
      const layers = values.map((value) => fallbackArgument(place, value));
      const { handler, when, whenResult } = merge<FallbackOptions>(...layers);
      return new FallbackPolicy(handler as PropertyKey | FallbackFunction, when, whenResult);
    },
  }),
  describe: (fallback) => ({ handler: handlerName(fallback) }),
  summarize: (fallback) => `fallback ${handlerName(fallback)}`,
  metrics: {
    'service.fallback_success': {
      kind: 'counter',
      help: 'Failed calls that were answered by their fallback.',
      labels: ['operation'],
    },
    'service.fallback_failed': {
      kind: 'counter',
      help: 'Failed calls whose fallback failed too.',
      labels: ['operation'],
    },
  },
};

function handlerName({ handler }: FallbackPolicy): string {
  return typeof handler === 'function' ? handler.name || 'a function' : String(handler);
}
