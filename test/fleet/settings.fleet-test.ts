import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Redis as Client } from 'ioredis';
import { ResilienceModule, ResilienceService, Retry } from '../../lib/index.js';
import { RedisFleet } from '../../lib/redis/index.js';
import { RecordingLogger } from '../binding/support.js';
import { type Redis, startRedis } from '../support/redis.js';

@Injectable()
class Payments {
  @Retry({ maxAttempts: 3, baseDelayMs: 1 })
  async charge(): Promise<void> {}
}

let redis: Redis;
const ended: (() => unknown)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});
afterAll(() => redis.stop());

async function start(): Promise<ResilienceService> {
  const client = new Client({ ...redis.connection, lazyConnect: true });
  const fleet = new RedisFleet({ client, namespace: 'shop' });
  const module = await Test.createTestingModule({
    imports: [ResilienceModule.forRoot({ fleet })],
    providers: [Payments],
  })
    .setLogger(new RecordingLogger())
    .compile();
  ended.push(
    () => client.disconnect(),
    () => module.close(),
  );
  await module.init();
  return module.get(ResilienceService);
}

const attempts = (service: ResilienceService) => service.describe()[0]?.stages.retry;

/** Looked at time and again: what an instance hears comes when it comes. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('Options that all instances are told over Redis', () => {
  it('hold in those that are there and in those that start later, until they are taken back', async () => {
    const [one, other] = [await start(), await start()];
    const before = attempts(other);
    one.reconfigure({ operations: { 'Payments.charge': { retry: 1 } } }, { fleet: true });
    await until(() => JSON.stringify(attempts(other)) === JSON.stringify(attempts(one)));
    const late = await start();
    expect(attempts(late)).toEqual({ ...before, maxAttempts: 1 });
    late.reconfigure({ operations: { 'Payments.charge': null } }, { fleet: true });
    await until(() => JSON.stringify(attempts(one)) === JSON.stringify(before));
    expect(attempts(await start())).toEqual(before);
  });
});
