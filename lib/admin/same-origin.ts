import { ForbiddenException } from '@nestjs/common';
import type { Exchange } from './exchange.js';

/** What the page adds to its requests. A form cannot, and a script elsewhere only if CORS lets it. */
export const PAGE_HEADER = 'x-resilience-dashboard';

/**
 * Refuses what another site makes somebody's browser send, whose cookies the guard would accept.
 *
 * @throws ForbiddenException
 */
export function refuseOtherSites(exchange: Exchange): void {
  if (exchange.header(PAGE_HEADER) === undefined)
    throw new ForbiddenException(`The header ${PAGE_HEADER} is missing`);
  if (!isSameOrigin(exchange)) throw new ForbiddenException('The request comes from another site');
}

/** Browsers say where a request comes from; what is no browser has nobody's cookies to misuse. */
function isSameOrigin(exchange: Exchange): boolean {
  const site = exchange.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = exchange.header('origin'); // where the address is not https, there is no Sec-Fetch-Site
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === exchange.host;
}
