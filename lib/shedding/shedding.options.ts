import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { type Mode, modeRule } from '../common/mode.js';
import { boolean, duration, positiveCount } from '../common/option-rules.js';
import { checkerOf, checkOptions, type Rule, type Rules } from '../common/options.js';

/**
 * When the whole server refuses requests, before anything is done for them. It needs a limit at least:
 * `maxEventLoopDelayMs`, `maxInFlight` or `adaptive`. Where both kinds are given, either is enough.
 */
export interface SheddingOptions {
  /**
   * How late the event loop may be, in ms: so long everything waits that is ready to run. Above it
   * `sheddable` requests are refused, more of them the longer that lasts, and then normal ones; above twice
   * of it and once all of these are refused, critical ones. Below half of it they are let in again. 50 to 200
   * fit most servers. @default not looked at
   */
  maxEventLoopDelayMs?: number;
  /**
   * How many requests may be in flight at a time: critical ones up to all of it, normal ones up to three
   * quarters, `sheddable` ones up to half. With `adaptive` it is the most that may be found for normal ones.
   * @default no limit; 1000 with `adaptive`
   */
  maxInFlight?: number;
  /**
   * Finds out how many normal requests may be in flight, from how long requests take, as the adaptive bulkhead
   * does (TCP Vegas); `sheddable` ones up to two thirds of that, critical ones up to twice as many. For servers
   * whose requests take about as long as each other. @default false
   */
  adaptive?: boolean;
  /** With `adaptive`: how many normal requests may be in flight at least. @default 10 */
  minInFlight?: number;
  /** `shadow`: nobody is refused, and `would-reject` tells who would have been. @default 'enforce' */
  mode?: Mode;
  /**
   * When to come again, by the header `Retry-After`, in ms: half of it to one and a half, at random, in whole
   * seconds. All that were refused together would come again together. @default 2000
   */
  retryAfterMs?: number;
  /**
   * Paths that are never refused, with what is below them, also below the application's global prefix; besides
   * `/health`, `/healthz`, `/live`, `/livez`, `/liveness`, `/ready`, `/readyz`, `/readiness` and `/metrics`.
   * Never refused either: what is marked by `@NeverShed()`, and controllers that Terminus'
   * `HealthCheckService` is injected into. @default none
   */
  exempt?: readonly string[];
}

/** The options in force. */
export interface ResolvedSheddingOptions extends SheddingOptions {
  readonly mode: Mode;
  readonly retryAfterMs: number;
}

const paths: Rule<readonly string[]> = (value) =>
  Array.isArray(value) && value.every((path) => typeof path === 'string' && /^\/./.test(path))
    ? undefined
    : "an array of paths that begin with a slash, such as ['/status']";

const RULES: Rules<SheddingOptions> = {
  maxEventLoopDelayMs: duration,
  maxInFlight: positiveCount,
  adaptive: boolean,
  minInFlight: positiveCount,
  mode: modeRule,
  retryAfterMs: duration,
  exempt: paths,
};

/** Some of them, which take the place of those that there are. */
export const checkSheddingOverrides = checkerOf<SheddingOptions>(RULES);

/** @throws ResilienceConfigurationError */
export function checkSheddingOptions(place: string, given: unknown): SheddingOptions {
  const options = checkOptions<SheddingOptions>(place, given, RULES);
  const { maxEventLoopDelayMs, maxInFlight, adaptive = false, minInFlight } = options;
  if (maxEventLoopDelayMs === undefined && maxInFlight === undefined && !adaptive)
    throw new ResilienceConfigurationError(
      place,
      'has no limit, so nothing would ever be refused; give maxEventLoopDelayMs (such as 100), maxInFlight or adaptive: true',
    );
  if (minInFlight !== undefined && !adaptive)
    throw new ResilienceConfigurationError(
      `${place}.minInFlight`,
      `is ${minInFlight} without adaptive, so nothing would heed it; give adaptive: true, or leave it out`,
    );
  if (minInFlight !== undefined && minInFlight > (maxInFlight ?? MOST_IN_FLIGHT))
    throw new ResilienceConfigurationError(
      `${place}.minInFlight`,
      `is ${minInFlight} while maxInFlight is ${maxInFlight ?? MOST_IN_FLIGHT}; allowed: at most as many`,
    );
  return options;
}

const MOST_IN_FLIGHT = 1_000;
const FEWEST_IN_FLIGHT = 10;

export function resolveSheddingOptions(given: SheddingOptions): ResolvedSheddingOptions {
  const options = { mode: 'enforce', retryAfterMs: 2_000, ...given } as const;
  if (options.adaptive !== true) return options;
  const maxInFlight = given.maxInFlight ?? MOST_IN_FLIGHT;
  const minInFlight = given.minInFlight ?? Math.min(FEWEST_IN_FLIGHT, maxInFlight);
  return { ...options, maxInFlight, minInFlight };
}
