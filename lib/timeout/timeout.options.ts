import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { type Mode, modeRule } from '../common/mode.js';
import { duration, text } from '../common/option-rules.js';
import { check, checkOptions, defined, type Rules } from '../common/options.js';
import type { TimeoutLayer } from './timeout-hierarchy.js';

/** A layer of a hierarchy in `timeouts`: `'payments.client'`. */
export type TimeoutLayerName = `${string}.${TimeoutLayer}`;

/** What one attempt may take: in ms, or by a layer. */
type AttemptTime =
  | {
      /** What one attempt may take, in ms. @default `defaults.timeoutMs`, where that is shorter than the total */
      attemptMs?: number;
      /** Not together with `attemptMs`. */
      attempt?: never;
    }
  | {
      /** Not together with `attempt`. */
      attemptMs?: never;
      /** What one attempt may take, by a layer of a hierarchy in `timeouts`: `'payments.client'`. */
      attempt: TimeoutLayerName;
    };

/** What the call may take, with all attempts and waits: in ms, or by a layer. */
type TotalTime =
  | {
      /** What the call may take, with all its attempts and waits, in ms. @default no limit */
      totalMs?: number;
      /** Not together with `totalMs`. */
      total?: never;
    }
  | {
      /** Not together with `total`. */
      totalMs?: never;
      /** What the call may take, with all its attempts and waits, by a layer: `'payments.gateway'`. */
      total: TimeoutLayerName;
    };

/** How long an attempt and a whole call may take. */
export type TimeoutOptions = AttemptTime &
  TotalTime & {
    /**
     * In `shadow` nothing is cut, and nobody has a deadline by it: what would be is told by `would-time-out`, and
     * goes on. It holds for both times. @default `defaults.mode`, which is 'enforce'
     */
    mode?: Mode;
  };

/** The times that were said, each in ms or as a layer. */
export interface SaidTimes {
  readonly attempt?: number | string;
  readonly total?: number | string;
  readonly mode?: Mode;
}

interface Given {
  attempt?: string;
  attemptMs?: number;
  total?: string;
  totalMs?: number;
  mode?: Mode;
}

const RULES: Rules<Given> = {
  attemptMs: duration,
  attempt: text,
  totalMs: duration,
  total: text,
  mode: modeRule,
};

/**
 * The times that a `@Timeout()` argument stands for: a number or a layer is that of an attempt.
 *
 * @throws ResilienceConfigurationError
 */
export function timesOf(place: string, argument: unknown): SaidTimes {
  if (argument === undefined) return {};
  if (typeof argument === 'string') return { attempt: argument };
  if (typeof argument !== 'object' || argument === null) {
    check(place, argument, duration);
    return { attempt: argument as number };
  }
  const given = checkOptions<Given>(place, argument, RULES);
  const attempt = either(place, given, 'attempt');
  const total = either(place, given, 'total');
  const said = defined({ attempt, total, mode: given.mode }) as SaidTimes;
  if (Object.keys(said).length > 0) return said;
  throw new ResilienceConfigurationError(
    place,
    `is ${display(argument)}, which says no time; allowed: ${duration(argument, place)}, '<hierarchy>.<layer>', or { attemptMs, totalMs }`,
  );
}

/** The times in ms that take the place of those which were said; a number is that of an attempt. */
export function checkTimeOverrides(place: string, said: unknown): object {
  if (typeof said === 'object' && said !== null)
    return checkOptions<Pick<Given, 'attemptMs' | 'totalMs' | 'mode'>>(place, said, {
      attemptMs: duration,
      totalMs: duration,
      mode: modeRule,
    });
  check(place, said, duration);
  return { attemptMs: said };
}

function either(
  place: string,
  given: Given,
  what: 'attempt' | 'total',
): number | string | undefined {
  const { [what]: layer, [`${what}Ms` as const]: ms } = given;
  if (layer === undefined || ms === undefined) return layer ?? ms;
  throw new ResilienceConfigurationError(
    `${place}.${what}`,
    `is ${display(layer)}, and ${what}Ms is ${ms}; allowed: one of them`,
  );
}

/** A time in force. */
interface InForce {
  readonly delayMs: number;
  readonly mode?: 'shadow';
}

export function describeTime({ delayMs, mode }: InForce): { timeoutMs: number; mode?: 'shadow' } {
  return { timeoutMs: delayMs, ...(mode !== undefined && { mode }) };
}

/** @param of which time it is */
export function summarizeTime({ delayMs }: InForce, of = ''): string {
  return `timeout ${delayMs} ms${of}`;
}
