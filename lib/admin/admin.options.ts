import type { CanActivate, Type } from '@nestjs/common';
import { type AccessOptions, type Mount, mountOf } from './access.options.js';

/** Who may reach the control API, and where it is. */
export interface ResilienceAdminOptions extends AccessOptions {
  /** Below which path it answers, itself below the global prefix if there is one. @default '/resilience/api' */
  path?: string;
  /** Decides who may ask, and where there are `controls` who may change something. */
  guard?: Type<CanActivate> | CanActivate;
  /**
   * Whether it also changes something: opens, closes and disables circuit breakers, sets other options, adds and
   * ends chaos; in this process or in all instances of its fleet. @default false
   */
  controls?: boolean;
}

/** @throws ResilienceConfigurationError */
export function resolveAdminOptions(options: unknown): Mount {
  return mountOf('ResilienceAdminModule.forRoot()', options, '/resilience/api');
}
