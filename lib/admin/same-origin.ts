import { ForbiddenException } from '@nestjs/common';
import type { Exchange } from './exchange.js';

/** What a request that changes something has to have. A form cannot, and a script elsewhere only if CORS lets it. */
export const CONTROL_HEADER = 'x-resilience-control';

/**
 * Refuses what another site makes somebody's browser send, whose cookies the guard would accept.
 *
 * @throws ForbiddenException
 */
export function refuseOtherSites(exchange: Exchange): void {
  if (exchange.header(CONTROL_HEADER) === undefined)
    throw new ForbiddenException(`The header ${CONTROL_HEADER} is missing`);
  if (!isSameOrigin(exchange, ['same-origin'])) throw new ForbiddenException(FOREIGN);
}

/**
 * Refuses what a script of another site asks for, which it could read where the application lets all sites by
 * CORS; not what somebody has typed in.
 *
 * @throws ForbiddenException
 */
export function refuseOtherReaders(exchange: Exchange): void {
  if (!isSameOrigin(exchange, ['same-origin', 'none'])) throw new ForbiddenException(FOREIGN);
}

const FOREIGN = 'The request comes from another site';

/** Browsers say where a request comes from; what is no browser has nobody's cookies to misuse. */
function isSameOrigin(exchange: Exchange, sites: readonly string[]): boolean {
  const site = exchange.header('sec-fetch-site');
  if (site !== undefined) return sites.includes(site);
  const origin = exchange.header('origin'); // where the address is not https, there is no Sec-Fetch-Site
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === exchange.host;
}
