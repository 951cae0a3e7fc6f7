import { type Redis, startRedis } from '../support/redis.js';
import { ask, type Example, killExamples, post, startExample } from './start-example.js';

let redis: Redis;
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await killExamples();
  await redis?.stop();
});

const start = (openMs: number) => {
  const { host, port } = redis.connection;
  const environment = { REDIS_URL: `redis://${host}:${port}`, OPEN_MS: `${openMs}` };
  return startExample('bullmq', environment);
};

const order = ({ url }: Example, id: string) => fetch(`${url}/orders`, post({ id }));

/** What has become of an order once it is in that state. */
async function inState({ url }: Example, id: string, state: string): Promise<unknown> {
  for (;;) {
    const { body } = await ask(`${url}/orders/${id}`);
    if ((body as { state?: string }).state === state) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('The example of BullMQ', () => {
  it('charges once, within one attempt of the job', async () => {
    const example = await start(5_000);
    await example.upstream('cut/2');
    await order(example, '7');
    expect(await inState(example, '7', 'completed')).toEqual({
      state: 'completed',
      attemptsMade: 1,
      result: { charged: { id: '7' } },
    });
    expect(await example.upstream()).toMatchObject({ calls: 3, charges: 1 });
  });

  it('lets jobs wait while the breaker is open, which costs them no attempt', async () => {
    const example = await start(5_000); // longer than a busy machine takes until the upstream is well
    await example.upstream('unavailable');
    await order(example, '8'); // whose attempts open the breaker
    await inState(example, '8', 'delayed');
    await order(example, '9');
    await inState(example, '9', 'delayed');
    await example.upstream('none');
    expect(await inState(example, '9', 'completed')).toMatchObject({ attemptsMade: 1 });
    expect(await inState(example, '8', 'completed')).toMatchObject({ attemptsMade: 2 });
  });
});
