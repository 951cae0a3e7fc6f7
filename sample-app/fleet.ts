import { Redis } from 'ioredis';
import type { Fleet } from 'nestjs-bulwark';
import { RedisFleet } from 'nestjs-bulwark/redis';

/** The shops on one Redis are a fleet; without the address of one, a shop is by itself. */
export function fleetAt(redis: string | undefined): Fleet | undefined {
  if (!redis) return undefined;
  return new RedisFleet({
    client: new Redis(redis, { lazyConnect: true }), // the fleet has connections of its own
    namespace: 'shop',
  });
}
