import { hostname } from 'node:os';
import type { CanActivate, DynamicModule, Type } from '@nestjs/common';
import { ResilienceConfigurationError } from '../index.js';
import { isHostName } from './allowed-hosts.js';

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
  /** Whether the page has buttons to open, close and disable circuit breakers. @default false */
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

/** What each option may be, and how to tell. */
const RULES: Record<
  keyof ResilienceDashboardOptions,
  [allows: (value: unknown) => boolean, allowed: string]
> = {
  path: [
    (value) => typeof value === 'string' && PATH.test(value),
    "a path without wildcards or parameters, such as '/resilience'",
  ],
  guard: [isGuard, 'a guard: a class with canActivate(), or an object of one'],
  public: [isBoolean, 'true or false'],
  allowedHosts: [
    (value) => Array.isArray(value) && value.every(isHostName),
    "an array of host names without ports and wildcards, such as ['ops.internal']",
  ],
  controls: [isBoolean, 'true or false'],
  instance: [
    (value) => typeof value === 'string' && value.trim() !== '' && value.length <= 100,
    'a non-empty string of at most 100 characters',
  ],
  imports: [Array.isArray, 'an array of modules'],
};

/** The options in force. */
export type ResolvedDashboardOptions = ResilienceDashboardOptions & typeof DEFAULTS;

/** @throws ResilienceConfigurationError */
export function resolveDashboardOptions(options: unknown): ResolvedDashboardOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ResilienceConfigurationError(
      PLACE,
      `is given ${shown(options)}; allowed: an object with guard, or public: true`,
    );
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [key, value] of given) checkOption(key, value);
  const resolved: ResolvedDashboardOptions = { ...DEFAULTS, ...Object.fromEntries(given) };
  checkAccess(resolved);
  if (resolved.public) resolved.allowedHosts ??= [];
  return resolved;
}

function checkOption(key: string, value: unknown): void {
  const rule = Object.hasOwn(RULES, key) ? RULES[key as keyof typeof RULES] : undefined;
  if (rule === undefined) {
    throw ResilienceConfigurationError.unknownOption(`${PLACE}.${key}`, key, Object.keys(RULES));
  }
  const [allows, allowed] = rule;
  if (!allows(value))
    throw new ResilienceConfigurationError(
      `${PLACE}.${key}`,
      `is ${shown(value)}; allowed: ${allowed}`,
    );
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

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.slice(0, 10).map(shown).join(', ')}]`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return `function ${value.name}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
