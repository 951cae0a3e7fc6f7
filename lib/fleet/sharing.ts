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
