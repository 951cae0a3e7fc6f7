import { hostname } from 'node:os';
import type { CanActivate, DynamicModule, Type } from '@nestjs/common';
import { checkOptions, ResilienceConfigurationError, type Rules, rules } from '../index.js';
import { isHostName } from './allowed-hosts.js';
import type { WhoIs } from './who.js';

/** Who gets in, and what they may do. */
export interface AccessOptions {
  /** Instead of a guard: everybody may, because something else keeps strangers away. @default false */
  public?: boolean;
  /**
   * Names of hosts under which it answers, as they stand in the `Host` header: `'ops.internal'`,
   * without a port. Other names get 403, so that no stranger's page can reach it by a name of its own
   * (DNS rebinding); `localhost` and addresses are always allowed.
   * @default none with `public: true`; with a guard, every name, since a browser brings no cookie or
   * password along to a stranger's: give them if the guard goes by addresses
   */
  allowedHosts?: readonly string[];
  /**
   * Who sends a request that changes something: the name that the log, events and the fleet are told, at most 100
   * characters. It is given the request of Express or of Fastify, in which the guard has put who that is, and may
   * be async. Where it fails, knows nobody or takes longer than a second, the name is `unknown`, and what was asked
   * for is done.
   *
   * @default none: everybody is `unknown`
   * @example
   * const whoIs = (request: { user: { email: string } }) => request.user.email;
   */
  whoIs?: WhoIs;
  /**
   * How this process is called, to tell it from others behind a load balancer.
   * @default the host's name and the process id, `'shop-7f9c:1'`
   */
  instance?: string;
  /** Modules with what the guard has injected, where that is not global. */
  imports?: DynamicModule['imports'];
}

/** What both the page and the API are given, each by words of its own. */
export interface MountOptions extends AccessOptions {
  path?: string;
  guard?: Type<CanActivate> | CanActivate;
  controls?: boolean;
}

/** The options in force; `path` has no slash around it. */
export type Mount = MountOptions & Required<Pick<MountOptions, 'path' | 'controls' | 'instance'>>;

const PATH = /^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/;

const RULES: Rules<MountOptions> = {
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
  whoIs: (value) =>
    typeof value === 'function'
      ? undefined
      : 'a function that says who sends a request: (request) => request.user.email',
  instance: (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= 100
      ? undefined
      : 'a non-empty string of at most 100 characters',
  imports: (value) => (Array.isArray(value) ? undefined : 'an array of modules'),
};

/**
 * @param place for messages: `ResilienceAdminModule.forRoot()`
 * @param path where it is unless the options say so
 * @throws ResilienceConfigurationError
 */
export function mountOf(place: string, options: unknown = {}, path: string): Mount {
  const defaults = { path, controls: false, instance: `${hostname()}:${process.pid}` };
  const mount: Mount = { ...defaults, ...checkOptions<MountOptions>(place, options, RULES) };
  checkAccess(place, mount);
  if (mount.public) mount.allowedHosts ??= [];
  return { ...mount, path: mount.path.replace(/^\/|\/$/g, '') };
}

/** Nobody publishes the inside of an application by leaving something out. */
function checkAccess(place: string, { guard, public: isPublic }: MountOptions): void {
  if (guard === undefined && isPublic !== true) {
    throw new ResilienceConfigurationError(
      place,
      'has no guard, so everybody could see it; give it a guard, or public: true where something else keeps strangers away',
    );
  }
  if (guard !== undefined && isPublic === true) {
    throw new ResilienceConfigurationError(
      place,
      'has a guard and public: true, which contradict each other; allowed: one of them',
    );
  }
}

function isGuard(value: unknown): boolean {
  const guard = typeof value === 'function' ? value.prototype : value;
  return typeof (guard as CanActivate | undefined)?.canActivate === 'function';
}
