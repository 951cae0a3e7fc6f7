import { ResilienceConfigurationError } from '../common/configuration.error.js';

/**
 * For what options say is shared.
 *
 * @param shared what they say; nothing is shared where it is `false`, or not said
 * @throws ResilienceConfigurationError where there is no fleet to share it with
 */
export function checkSharing(place: string, shared: unknown, fleet: object | undefined): void {
  if (shared === undefined || shared === false || fleet !== undefined) return;
  throw new ResilienceConfigurationError(
    `${place}.shared`,
    `is ${JSON.stringify(shared)}, and there is no fleet to share with; allowed: with fleet in ResilienceModule.forRoot(), such as new RedisFleet({ client, namespace: 'shop' })`,
  );
}

/**
 * Whether something is shared is part of what it is.
 *
 * @param shared with all that belongs to it, as it is in force
 * @throws ResilienceConfigurationError where other options would change it at run time
 */
export function checkSharedStays(place: string, shared: unknown, other: unknown): void {
  const [before, after] = [shared, other].map((each) => JSON.stringify(each ?? false));
  if (before === after) return;
  throw new ResilienceConfigurationError(
    `${place}.shared`,
    `is ${after}, and ${before} where the application started; allowed: the same as before, as what is shared cannot be changed at run time`,
  );
}

/** What is to be warned of where instances share something by a name, and have other options for it. */
export function disputeOver(own: string): Error {
  return new Error(
    `has ${own} in this instance, and something else in another of its fleet, which each goes by; give it the same options in all, unless they are about to change`,
  );
}
