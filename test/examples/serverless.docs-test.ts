import { type Redis, startRedis } from '../support/redis.js';
import { ask, killExamples, startExample } from './start-example.js';

let redis: Redis;
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await killExamples();
  await redis?.stop();
});

const start = () => {
  const { host, port } = redis.connection;
  return startExample('serverless', { REDIS_URL: `redis://${host}:${port}` });
};

describe('The example of a serverless function', () => {
  it('knows in its next process that a breaker is open, though nothing closed the one before', async () => {
    const { url, upstream, kill } = await start();
    const price = { status: 200, body: { sku: 'tea', cents: 450 } };
    expect(await ask(`${url}/prices/tea`)).toMatchObject(price);
    await upstream('hang');
    expect((await ask(`${url}/prices/tea`)).status).toBeGreaterThanOrEqual(503);
    await ask(`${url}/prices/tea`);
    await kill();

    const next = await start();
    expect(await ask(`${next.url}/prices/tea`)).toMatchObject({
      status: 503,
      body: { code: 'CIRCUIT_OPEN' },
    });
    expect((await next.upstream()).calls).toBe(0);
  });
});
