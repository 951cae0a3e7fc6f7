import { ask, killExamples, post, startExample } from './start-example.js';

afterEach(killExamples);

describe('The example of HTTP', () => {
  it('gives the last good price while the service of prices hangs, and else ends at the deadline', async () => {
    const { url, upstream } = await startExample('http');
    const tea = { status: 200, body: { sku: 'tea', cents: 450 } };
    expect(await ask(`${url}/prices/tea`)).toMatchObject(tea);
    await upstream('hang');
    expect(await ask(`${url}/prices/tea`)).toMatchObject(tea);
    const headers = { 'x-request-timeout-ms': '300' };
    expect(await ask(`${url}/prices/milk`, { headers })).toMatchObject({
      status: 504,
      body: { code: 'TIMEOUT' },
    });
  });

  it('charges once what it has to ask for three times', async () => {
    const { url, upstream } = await startExample('http');
    await upstream('cut/2');
    const order = { id: '7', sku: 'tea' };
    expect(await ask(`${url}/orders`, post(order))).toMatchObject({
      status: 201,
      body: { charged: order },
    });
    expect(await upstream()).toMatchObject({ calls: 3, charges: 1 });
  });

  it('answers at once while the breaker is open, and says when to come again', async () => {
    const { url, upstream } = await startExample('http');
    await upstream('hang');
    const order = post({ id: '8', sku: 'tea' });
    expect(await ask(`${url}/orders`, order)).toMatchObject({ status: 504 });
    const { calls } = await upstream();
    const refused = await ask(`${url}/orders`, order);
    expect(refused).toMatchObject({ status: 503, body: { code: 'CIRCUIT_OPEN' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await upstream()).calls).toBe(calls);
  });
});
