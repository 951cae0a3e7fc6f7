import { isIP } from 'node:net';
import { type CanActivate, type ExecutionContext, ForbiddenException } from '@nestjs/common';
import { Exchange } from './exchange.js';

/**
 * Answers only under names that are known to be this application's. Else a stranger's page could have
 * its own name lead to this address (DNS rebinding), and the browser of somebody inside would take the
 * two for one origin. An address has no name that could lead elsewhere, so it is always allowed.
 */
export class AllowedHosts implements CanActivate {
  private readonly names: ReadonlySet<string>;

  constructor(names: readonly string[]) {
    this.names = new Set(names.map((name) => name.toLowerCase()));
  }

  /** @throws ForbiddenException */
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const { host } = new Exchange(http.getRequest(), http.getResponse());
    if (this.allows(hostNameOf(host))) return true;
    throw new ForbiddenException(
      'Nothing is answered under this host name; allowedHosts can add it',
    );
  }

  private allows(name: string | undefined): boolean {
    if (name === undefined) return false;
    const isLoopback = name === 'localhost' || name.endsWith('.localhost');
    return isLoopback || isIP(name.replace(/^\[|\]$/g, '')) !== 0 || this.names.has(name);
  }
}

/** Whether something is the name of a host, without a scheme, a port or a wildcard. */
export function isHostName(value: unknown): boolean {
  if (typeof value !== 'string' || value.includes('*')) return false;
  return hostNameOf(value) === value.toLowerCase();
}

/** In lower case, without the port. */
function hostNameOf(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined;
  const { hostname, pathname, search, hash, username, password } = new URL(`http://${host}`);
  const isHost = pathname === '/' && `${search}${hash}${username}${password}` === '';
  return isHost ? hostname : undefined;
}
