import type { CanActivate, Type } from '@nestjs/common';
import { type AccessOptions, type Mount, mountOf } from '../admin/access.options.js';

/** Who may see the dashboard, and where it is. */
export interface ResilienceDashboardOptions extends AccessOptions {
  /**
   * Where the page is, below the global prefix if there is one; what it asks for and does is below that, at
   * `/api`, as that of `nestjs-bulwark/admin`. @default '/resilience'
   */
  path?: string;
  /**
   * Decides who may see the page, and use its buttons. A browser has to be able to satisfy it: by a
   * cookie, or HTTP Basic.
   */
  guard?: Type<CanActivate> | CanActivate;
  /**
   * Whether the page has buttons: to open, close and disable circuit breakers, to end chaos; in this process or in
   * all instances of its fleet. @default false
   */
  controls?: boolean;
}

/** @throws ResilienceConfigurationError */
export function resolveDashboardOptions(options: unknown): Mount {
  return mountOf('ResilienceDashboardModule.forRoot()', options, '/resilience');
}
