import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { merge } from '../common/options.js';
import { CallKeys } from '../stage/call-keys.js';
import type { KeyFunction } from '../stage/keyed.options.js';
import type { StageApplication, StageDefinition } from '../stage/stage-definition.js';
import {
  type FallbackOptions,
  fallbackArgument,
  fallbackMethodOf,
  type GivenFallback,
} from './fallback.options.js';
import { type FallbackFunction, FallbackPolicy } from './fallback.policy.js';
import { LastGood } from './last-good.js';
import type { LastGoodOptions } from './last-good.options.js';

/** What is typed of it. */
export interface FallbackTypes {
  name: 'fallback';
  policy: FallbackPolicy;
  service: {
    /** Answers in place of a call that failed for good: a function, or `{ handler, when, whenResult, lastGood }`. */
    fallback?: FallbackFunction | FallbackOptions<FallbackFunction>;
  };
  /** The handler's name, and how long the last success stands in before it. */
  described: {
    handler?: string;
    lastGood?: { maxAgeMs: number; maxEntries: number; by: 'arguments' | 'key' };
  };
  event: {
    /** Tells the event apart from others. */
    type: 'fallback';
    /** `ClassName.method`, or the name of the bundle or pipeline. */
    operation: string;
    /** What the call failed by. */
    error: unknown;
    /** Whether the fallback answered; if not, its caller gets `fallbackError`. */
    succeeded: boolean;
    /** What the fallback itself failed by, where it did. */
    fallbackError?: unknown;
    /** How old the last success was, in ms, where that was the answer. */
    ageMs?: number;
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
      : 'a function, or { handler, when, whenResult, lastGood } with one';
  },
  catalog: (application) => ({
    resolve({ operation, place, values }) {
      const layers = values.map((value) => fallbackArgument(place, value));
      const { handler, when, whenResult, lastGood: keeps } = merge<GivenFallback>(...layers);
      const lastGood = keeps && lastGoodOf(operation, place, keeps, application);
      if (handler === undefined && lastGood === undefined)
        throw new ResilienceConfigurationError(
          place,
          'has neither a handler nor lastGood; allowed: the name of one of its methods or a function as handler, and lastGood: { maxAgeMs }',
        );
      const answersBy = handler as PropertyKey | FallbackFunction | undefined;
      return new FallbackPolicy(answersBy, when, whenResult, lastGood, place);
    },
  }),
  suits: ({ lastGood }, place, operation) => lastGood?.keys.suit(`${place}.lastGood`, operation),
  describe: ({ handler, lastGood }) => ({
    ...(handler !== undefined && { handler: handlerName(handler) }),
    ...(lastGood !== undefined && {
      lastGood: {
        maxAgeMs: lastGood.maxAgeMs,
        maxEntries: lastGood.maxEntries,
        by: lastGood.keys.by,
      },
    }),
  }),
  summarize({ handler, lastGood }) {
    const parts = [
      ...(lastGood === undefined ? [] : [`the last success of ${lastGood.maxAgeMs} ms`]),
      ...(handler === undefined ? [] : [handlerName(handler)]),
    ];
    return `fallback ${parts.join(', then ')}`;
  },
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

function lastGoodOf(
  operation: string,
  place: string,
  options: LastGoodOptions,
  application: StageApplication,
): LastGood {
  const keyed = application.warnOf(
    `The key of ${operation}, by which its last successes are kept,`,
  );
  const kept = application.warnOf(`Keeping the last successes of ${operation}`);
  const key = options.key as KeyFunction | undefined;
  return new LastGood(options, new CallKeys(key, `${place}.lastGood`, keyed), kept);
}

function handlerName(handler: PropertyKey | FallbackFunction): string {
  return typeof handler === 'function' ? handler.name || 'a function' : String(handler);
}
