import { credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { freePort } from '../support/free-port.js';
import { ask, type Example, killExamples, startExample } from './start-example.js';

interface PricesClient {
  find(
    request: { sku: string },
    options: { deadline: Date },
    answered: (error: ServiceError | null, price?: unknown) => void,
  ): void;
  close(): void;
}

let example: Example;
let client: PricesClient;
beforeEach(async () => {
  const GRPC_URL = `localhost:${await freePort()}`;
  example = await startExample('grpc', { GRPC_URL });
  const { shop } = loadPackageDefinition(
    loadSync('sample-app/examples/grpc/prices.proto'),
  ) as unknown as { shop: { Prices: new (...args: unknown[]) => PricesClient } };
  client = new shop.Prices(GRPC_URL, credentials.createInsecure());
});
afterEach(async () => {
  client?.close();
  await killExamples();
});

function find(sku: string, timeoutMs = 20_000): Promise<unknown> {
  const deadline = new Date(Date.now() + timeoutMs);
  return new Promise((resolve, reject) =>
    client.find({ sku }, { deadline }, (error, price) => (error ? reject(error) : resolve(price))),
  );
}

describe('The example of gRPC', () => {
  it('answers gRPC, and HTTP over that', async () => {
    await example.upstream('cut/2');
    expect(await find('tea')).toEqual({ sku: 'tea', cents: 450 });
    expect(await ask(`${example.url}/prices/tea`)).toMatchObject({
      status: 200,
      body: { sku: 'tea', cents: 450 },
    });
  });

  it('retries in one place only, and says by a status of gRPC that a breaker is open', async () => {
    const { url, upstream } = example;
    await upstream('unavailable');
    expect(await ask(`${url}/prices/tea`)).toMatchObject({ status: 500 });
    expect((await upstream()).calls).toBe(3);
    await ask(`${url}/prices/tea`); // the breaker opens
    await expect(find('tea')).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect((await upstream()).calls).toBe(5);
  });

  it('ends the work behind it at the deadline of its caller', async () => {
    const { url, upstream } = example;
    await upstream('hang');
    await expect(find('tea', 300)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    const headers = { 'x-request-timeout-ms': '300' };
    expect(await ask(`${url}/prices/tea`, { headers })).toMatchObject({ status: 504 });
  });
});
