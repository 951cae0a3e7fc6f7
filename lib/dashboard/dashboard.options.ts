import { hostname } from 'node:os';
import type { CanActivate, DynamicModule, Type } from '@nestjs/common';
import { isHostName } from '../admin/allowed-hosts.js';
import { checkOptions, ResilienceConfigurationError, type Rules, rules } from '../index.js';

export interface ResilienceDashboardOptions {
  /** Where the page is, below the global prefix if there is one. @default '/resilience' */
  path?: string;
  /**
   * Decides who may see the page, and use its buttons. A browser has to be able to satisfy it: by a
   * cookie, or HTTP Basic.
   */
  guard?: Type<CanActivate> | CanActivate;
  /** Instead of a guard: everybody may, because something else keeps strangers away. @default false */
  public?: boolean;
  /**
   * Names of hosts under which the dashboard answers, as they stand in the `Host` header: `'ops.internal'`,
   * without a port. Other names get 403, so that no stranger's page can reach it by a name of its own
   * (DNS rebinding); `localhost` and addresses are always allowed.
   * @default none with `public: true`; with a guard, every name, since a browser brings no cookie or
   * password along to a stranger's: give them if the guard goes by addresses
   */
  allowedHosts?: readonly string[];
  /**
   * Whether the page has buttons: to open, close and disable circuit breakers, to end chaos; in this process or in
   * all instances of its fleet. @default false
   */
  controls?: boolean;
  /**
   * How the page calls this process, to tell it from others behind a load balancer.
   * @default the host's name and the process id, `'shop-7f9c:1'`
   */
  instance?: string;
  /** Modules with what the guard has injected, where that is not global. */
  imports?: DynamicModule['imports'];
}

const PLACE = 'ResilienceDashboardModule.forRoot()';
const DEFAULTS = {
  path: '/resilience',
  controls: false,
  instance: `${hostname()}:${process.pid}`,
};
const PATH = /^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/;

const RULES: Rules<ResilienceDashboardOptions> = {
  path: (value) =>
    typeof value === 'string' && PATH.test(value)
      ? undefined
      : "a path without wildcards or parameters, such as '/resilience'",
  guard: (value) =>
    isGuard(value) ? undefined : 'a guard: a class with canActivate(), or an object of one',
  public: rules.boolean,
  allowedHosts: (value) =>
    Array.isArray(value) && value.every(isHostName)
      ? undefined
      : "an array of host names without ports and wildcards, such as ['ops.internal']",
  controls: rules.boolean,
  instance: (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= 100
      ? undefined
      : 'a non-empty string of at most 100 characters',
  imports: (value) => (Array.isArray(value) ? undefined : 'an array of modules'),
};

/** The options in force. */
export type ResolvedDashboardOptions = ResilienceDashboardOptions & typeof DEFAULTS;

/** @throws ResilienceConfigurationError */
export function resolveDashboardOptions(options: unknown = {}): ResolvedDashboardOptions {
  const given = checkOptions<ResilienceDashboardOptions>(PLACE, options, RULES);
  const resolved: ResolvedDashboardOptions = { ...DEFAULTS, ...given };
  checkAccess(resolved);
  if (resolved.public) resolved.allowedHosts ??= [];
  return resolved;
}

/** Nobody publishes the inside of an application by leaving something out. */
function checkAccess({ guard, public: isPublic }: ResilienceDashboardOptions): void {
  if (guard === undefined && isPublic !== true) {
    throw new ResilienceConfigurationError(
      PLACE,
      'has no guard, so everybody could see it; give it a guard, or public: true where something else keeps strangers away',
    );
  }
  if (guard !== undefined && isPublic === true) {
    throw new ResilienceConfigurationError(
      PLACE,
      'has a guard and public: true, which contradict each other; allowed: one of them',
    );
  }
}

function isGuard(value: unknown): boolean {
  const guard = typeof value === 'function' ? value.prototype : value;
  return typeof (guard as CanActivate | undefined)?.canActivate === 'function';
}
