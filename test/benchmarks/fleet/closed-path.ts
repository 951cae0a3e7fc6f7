import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { CircuitBreakerRegistry, ResilienceModule } from 'nestjs-bulwark';
import { RedisFleet } from 'nestjs-bulwark/redis';
import { work } from '../cases/baselines.js';

const BATCHES = 3_000;
const CALLS = 2_000;

class ClosedModule {}

/** What a call through a closed breaker costs at best, in ns, and what Redis was asked meanwhile. */
export interface ClosedPath {
  readonly unshared: number;
  readonly shared: number;
  /** By kind of command, without what the link asks for itself. */
  readonly scripts: number;
  readonly calls: number;
}

/** Both in one process, which take turns, so that they meet the same machine. */
export async function measure(redis: number): Promise<ClosedPath> {
  const client = new Redis(redis, { lazyConnect: true });
  const fleet = new RedisFleet({ client, namespace: `closed-${process.pid}` });
  const breakers = { shared: { shared: true }, unshared: {} };
  const imports = [ResilienceModule.forRoot({ fleet, breakers, bootLog: 'none' })];
  const module = { module: ClosedModule, imports };
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const registry = app.get(CircuitBreakerRegistry);
  const best = { unshared: Number.POSITIVE_INFINITY, shared: Number.POSITIVE_INFINITY };
  await client.connect();
  const before = await scriptsOf(client);
  for (let batch = 0; batch < BATCHES; batch++)
    for (const name of batch % 2 === 0 ? NAMES : REVERSED) {
      const breaker = registry.get(name);
      const begunAt = performance.now();
      for (let made = 0; made < CALLS; made++) await breaker.execute(work);
      const ns = ((performance.now() - begunAt) * 1e6) / CALLS;
      if (batch >= BATCHES / 10) best[name] = Math.min(best[name], ns);
    }
  const scripts = (await scriptsOf(client)) - before;
  await app.close();
  client.disconnect();
  return { ...best, scripts, calls: BATCHES * CALLS };
}

const NAMES = ['unshared', 'shared'] as const;
const REVERSED = ['shared', 'unshared'] as const;

/** Scripts that the server has run so far. */
async function scriptsOf(client: Redis): Promise<number> {
  const stats = await client.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}
