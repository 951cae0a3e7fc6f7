import { Controller, type Type, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { NeverShed, ResilienceConfigurationError } from '../index.js';
import type { Mount } from './access.options.js';
import { AllowedHosts } from './allowed-hosts.js';

/** Keeps a controller out of an OpenAPI document, as `@ApiExcludeController()` of @nestjs/swagger does. */
const SWAGGER_EXCLUDES = 'swagger/apiExcludeController';

/** At which path a controller of ours is. */
const MOUNTED_AT = 'nestjs-bulwark:mounted-at';

/** Puts a controller at the path, behind the guard, and out of the application's own API. */
export function mounted<C extends Type<object>>(
  controller: C,
  { path, guard, allowedHosts }: Mount,
): C {
  Controller({ path, version: VERSION_NEUTRAL })(controller);
  // Decorators apply from the bottom up, and guards run in the order in which they come.
  if (guard !== undefined) UseGuards(guard)(controller);
  if (allowedHosts !== undefined) UseGuards(new AllowedHosts(allowedHosts))(controller);
  NeverShed()(controller); // it is looked at in an overload
  Reflect.defineMetadata(MOUNTED_AT, path, controller);
  Reflect.defineMetadata(SWAGGER_EXCLUDES, [true], controller);
  return controller;
}

/**
 * Of two at one path the guard and the options of the first would be those of both.
 *
 * @throws ResilienceConfigurationError where there are
 */
export function checkApart(modules: ModulesContainer): void {
  const all = [...modules.values()].flatMap(({ controllers }) => [...controllers.values()]);
  const paths = all.flatMap(({ metatype }) => {
    const path: unknown = metatype && Reflect.getMetadata(MOUNTED_AT, metatype);
    return typeof path === 'string' ? path : [];
  });
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice === undefined) return;
  throw new ResilienceConfigurationError(
    'ResilienceAdminModule.forRoot().path',
    `is ${JSON.stringify(twice)}, where another module answers, such as ResilienceDashboardModule with its own API below its path; allowed: a path of its own`,
  );
}
