import { Controller, type Type, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import type { Mount } from './access.options.js';
import { AllowedHosts } from './allowed-hosts.js';

/** Keeps a controller out of an OpenAPI document, as `@ApiExcludeController()` of @nestjs/swagger does. */
const SWAGGER_EXCLUDES = 'swagger/apiExcludeController';

/** Puts a controller at the path, behind the guard, and out of the application's own API. */
export function mounted<C extends Type<object>>(
  controller: C,
  { path, guard, allowedHosts }: Mount,
): C {
  Controller({ path, version: VERSION_NEUTRAL })(controller);
  // Decorators apply from the bottom up, and guards run in the order in which they come.
  if (guard !== undefined) UseGuards(guard)(controller);
  if (allowedHosts !== undefined) UseGuards(new AllowedHosts(allowedHosts))(controller);
  Reflect.defineMetadata(SWAGGER_EXCLUDES, [true], controller);
  return controller;
}
