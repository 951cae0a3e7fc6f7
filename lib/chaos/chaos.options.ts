import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import { isClass } from '../common/answers.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { boolean, predicate } from '../common/option-rules.js';
import { type Checker, checked, checkOptions, type Rule, type Rules } from '../common/options.js';
import { read } from '../common/read.js';
import { type ChaosRule, checkChaosRule } from './chaos-rule.js';

/** Whether a request may bring chaos along: asked for those only that have the header. */
export type ChaosGuard =
  | ((context: ExecutionContext) => boolean | Promise<boolean>)
  | CanActivate
  | Type<CanActivate>;

/** One request brings its own chaos along. */
export interface ChaosHeaderOptions {
  /** The header, or the key of the metadata of gRPC: `'x-chaos'`. */
  name: string;
  /**
   * Says `true` where the request may: a function, a guard, or the class of one. It is asked after the guards
   * of the handler, so that it knows who the user is; what it throws is a no.
   */
  allow: ChaosGuard;
}

/** Faults that are injected on purpose, to see whether what should protect from them does. */
export interface ChaosOptions {
  /** In force from the start. Of several that fit, the first that happens to hit is the one. @default none */
  rules?: ChaosRule[];
  /** Which requests can bring chaos along by a header. @default none */
  header?: ChaosHeaderOptions;
  /** Without it, an application with `chaos` does not start where `NODE_ENV` is `production`. @default false */
  allowInProduction?: boolean;
  /** Decides what hits, and for how long it delays: a number from 0 to below 1. @default Math.random */
  random?: () => number;
}

const isGuard = (value: unknown): boolean => {
  const guard = typeof value === 'function' ? (value.prototype as unknown) : value;
  return typeof read(guard, 'canActivate') === 'function';
};

const HEADER_RULES: Rules<ChaosHeaderOptions> = {
  name: (value) =>
    typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(value)
      ? undefined
      : "the name of a header, such as 'x-chaos'",
  allow: (value) =>
    (typeof value === 'function' && !isClass(value)) || isGuard(value)
      ? undefined
      : 'a function that says true where a request may, a guard, or the class of one',
};

const checkHeader: Checker<ChaosHeaderOptions> = (place, value) => {
  const header = checkOptions<ChaosHeaderOptions>(place, value, HEADER_RULES, undefined);
  for (const key of ['name', 'allow'] as const)
    if (header[key] === undefined)
      throw new ResilienceConfigurationError(
        place,
        `has no ${key}; allowed: { name: 'x-chaos', allow } where allow says which requests may`,
      );
  return header;
};

const checkRules: Rule = (value, place) => {
  if (!Array.isArray(value)) return 'an array of rules';
  const ids = new Set<string>();
  for (const [index, each] of value.entries()) {
    const { id } = checkChaosRule(`${place}[${index}]`, each);
    if (id !== undefined && ids.has(id))
      throw new ResilienceConfigurationError(
        `${place}[${index}].id`,
        `is ${display(id)}, as that of another rule; allowed: another one`,
      );
    if (id !== undefined) ids.add(id);
  }
  return undefined;
};

const RULES: Rules<ChaosOptions> = {
  rules: checkRules,
  header: checked(checkHeader),
  allowInProduction: boolean,
  random: predicate,
};

/** @throws ResilienceConfigurationError, also in production without `allowInProduction` */
export function checkChaosOptions(place: string, value: unknown): ChaosOptions {
  const options = checkOptions<ChaosOptions>(place, value, RULES);
  checkEnvironment(place, options);
  return options;
}

/** @throws ResilienceConfigurationError in production without `allowInProduction` */
export function checkEnvironment(place: string, { allowInProduction }: ChaosOptions): void {
  if (process.env.NODE_ENV !== 'production' || allowInProduction === true) return;
  throw new ResilienceConfigurationError(
    place,
    'NODE_ENV is production; allowed: no chaos there, or chaos: { allowInProduction: true } where it is meant',
  );
}
