import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { type Mode, modeRule } from '../common/mode.js';
import { boolean, countOrZero, duration, positiveCount } from '../common/option-rules.js';
import { checkerOf, merge } from '../common/options.js';

/** How many calls run and wait at a time. */
export interface BulkheadOptions {
  /**
   * How many calls run at a time, at least 1; with `adaptive`, how many at most.
   * @default 10; 200 with `adaptive`
   */
  maxConcurrent?: number;
  /**
   * How many calls wait for a slot; 0 means no queue. Critical calls are served before the rest, those of
   * `@Critical(false)` after it; first in, first out among equals. In a full queue a critical call takes the
   * place of the youngest of `@Critical(false)`.
   * @default 100
   */
  queueLimit?: number;
  /**
   * How long a call may wait for a slot, in ms; then it is rejected. @default as long as its timeout lets it
   */
  queueTimeoutMs?: number;
  /**
   * Finds out how many calls may run at a time, between `minConcurrent` and `maxConcurrent`, from how
   * long they take: by TCP Vegas (Brakmo and Peterson, 1995). It needs a few rounds of calls.
   * @default false
   */
  adaptive?: boolean;
  /** With `adaptive`: how many calls may run at a time at least; from 1 to `maxConcurrent`. @default 1 */
  minConcurrent?: number;
  /**
   * Whether `maxConcurrent` is that of all instances together, by its name. Each has a part of the slots leased
   * (`fleet.bulkheadLeaseMs`), by how many calls it has, and no call asks for one: what finds none waits in
   * the queue until others have given some back, which they do as their calls end. An instance that had no call
   * for long has none, and its next call waits for an answer, at most `fleet.probeWaitMs`. Those of an instance
   * that is gone come back after its lease. Where an instance has no answer by then, or none for
   * one and a half leases, it goes by its even share, at least one: so many more may run where the others have
   * got its part. Not with `adaptive`. It needs `fleet` in `forRoot()`.
   * @default false
   */
  shared?: boolean;
  /**
   * In `shadow` it lets all in at once, and tells which calls it would have rejected (`would-reject`) and how
   * many would have waited (`getSnapshot()`), as if one that would have waited ended when it really does.
   * `adaptive` learns as ever, but has no other way to know how long calls take without load than to see it.
   * One that is `shared` goes by its even share, and takes nothing from the fleet.
   * @default `defaults.mode`, or enforce
   */
  mode?: Mode;
}

/** The options in force. */
export interface ResolvedBulkheadOptions extends BulkheadOptions {
  maxConcurrent: number;
  queueLimit: number;
}

/** @throws ResilienceConfigurationError */
export const checkBulkheadOptions = checkerOf<BulkheadOptions>(
  {
    maxConcurrent: positiveCount,
    queueLimit: countOrZero,
    queueTimeoutMs: duration,
    adaptive: boolean,
    minConcurrent: positiveCount,
    shared: boolean,
    mode: modeRule,
  },
  'maxConcurrent',
);

/** Later layers win field by field; one that is not adaptive has no use for a lower bound. */
export function mergeBulkheadOptions(...layers: (BulkheadOptions | undefined)[]): BulkheadOptions {
  return layers.reduce<BulkheadOptions>((below, layer) => {
    const merged = merge(below, layer);
    if (layer?.adaptive === false && layer.minConcurrent === undefined) delete merged.minConcurrent;
    return merged;
  }, {});
}

/** @throws ResilienceConfigurationError where options contradict each other, seen over all layers */
export function resolveBulkheadOptions(
  place: string,
  given: BulkheadOptions,
): ResolvedBulkheadOptions {
  const { adaptive = false, minConcurrent, shared = false } = given;
  if (adaptive && shared) {
    throw new ResilienceConfigurationError(
      `${place}.shared`,
      'is true with adaptive, which finds out what each instance can bear by itself; allowed: one of them',
    );
  }
  if (!adaptive && minConcurrent !== undefined) {
    throw new ResilienceConfigurationError(
      `${place}.minConcurrent`,
      `is ${minConcurrent} without adaptive, so nothing would heed it; give adaptive: true, or leave it out`,
    );
  }
  const defaults: ResolvedBulkheadOptions = { maxConcurrent: adaptive ? 200 : 10, queueLimit: 100 };
  if (adaptive) defaults.minConcurrent = 1;
  const options = { ...defaults, ...given };
  if (minConcurrent !== undefined && minConcurrent > options.maxConcurrent) {
    throw new ResilienceConfigurationError(
      `${place}.minConcurrent`,
      `is ${minConcurrent} while maxConcurrent is ${options.maxConcurrent}; allowed: at most ${options.maxConcurrent}`,
    );
  }
  return options;
}
