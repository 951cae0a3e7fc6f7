import { connect } from 'amqplib';
import { type RabbitMq, startRabbitMq } from '../support/rabbitmq.js';
import { Deferred } from '../support/resilience-app.js';
import { ask, killExamples, post, startExample } from './start-example.js';

let rabbit: RabbitMq;
beforeAll(async () => {
  rabbit = await startRabbitMq();
});
afterEach(killExamples);
afterAll(() => rabbit?.stop());

const start = () => startExample('rabbitmq', { RABBITMQ_URL: rabbit.url });

/** What a service without the library gets for a message, as Nest's clients send it. */
async function send(pattern: string, data: unknown): Promise<unknown> {
  const connection = await connect(rabbit.url);
  try {
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const { promise, resolve } = new Deferred<unknown>();
    const answered = (message: { content: Buffer } | null) =>
      resolve(JSON.parse(`${message?.content}`));
    await channel.consume(queue, answered, { noAck: true });
    const message = Buffer.from(JSON.stringify({ pattern, data, id: '1' }));
    channel.sendToQueue('charges', message, { replyTo: queue, correlationId: '1' });
    return await promise;
  } finally {
    await connection.close();
  }
}

describe('The example of RabbitMQ', () => {
  it('charges once an order whose message is handled three times', async () => {
    const { url, upstream } = await start();
    await upstream('cut/2');
    expect(await ask(`${url}/orders`, post({ id: '8' }))).toMatchObject({
      status: 201,
      body: { charged: { id: '8' } },
    });
    expect(await upstream()).toMatchObject({ calls: 3, charges: 1 });
  });

  it('ends at the deadline that came with the HTTP request', async () => {
    const { url, upstream } = await start();
    await upstream('hang');
    const request = post({ id: '9' });
    const headers = { ...request.headers, 'x-request-timeout-ms': '500' };
    expect(await ask(`${url}/orders`, { ...request, headers })).toMatchObject({ status: 504 });
  });

  it('tells whoever sent a message by a code that the breaker is open', async () => {
    const { upstream } = await start();
    await upstream('unavailable');
    for (let message = 0; message < 2; message++) await send('charge', { id: '10' });
    expect(await send('charge', { id: '10' })).toMatchObject({
      err: { status: 'error', code: 'CIRCUIT_OPEN' },
    });
    expect((await upstream()).calls).toBe(5);
  });
});
