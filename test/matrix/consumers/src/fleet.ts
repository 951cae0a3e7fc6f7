import { RedisFleet } from 'nestjs-bulwark/redis';

/** What the library uses of a client, for a Redis that is never there. */
class AbsentRedis {
  readonly status = 'wait';
  readonly options = {};

  duplicate(): AbsentRedis {
    return new AbsentRedis();
  }

  connect(): Promise<never> {
    return Promise.reject(new Error('There is no Redis'));
  }

  evalsha(): void {}
  disconnect(): void {}
  on(): void {}
}

/** The application starts, and goes on, without it. */
export const fleet = new RedisFleet({
  client: new AbsentRedis(),
  namespace: 'matrix',
  warmStartMs: 10,
});
