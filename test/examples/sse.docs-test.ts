import { ask, killExamples, startExample } from './start-example.js';

afterEach(killExamples);

/** The data of the events of a stream, one after another; ends the stream when nobody reads on. */
async function* events(url: string): AsyncGenerator<Record<string, unknown>> {
  const leaving = new AbortController();
  const response = await fetch(url, { signal: leaving.signal });
  let text = '';
  try {
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(part).toString();
      const whole = text.split('\n\n');
      text = whole.pop() ?? '';
      for (const event of whole) {
        const data = /^data: (.*)$/m.exec(event)?.[1];
        if (data !== undefined) yield JSON.parse(data);
      }
    }
  } finally {
    leaving.abort();
  }
}

describe('The example of server-sent events', () => {
  it('streams on with the latest price while none can be had, and then with new ones', async () => {
    const { url, upstream } = await startExample('sse', { WATCH_MS: '20' });
    const prices = { seen: 0, stale: 0, fresh: 0 };
    for await (const price of events(`${url}/prices/tea`)) {
      expect(price).toMatchObject({ sku: 'tea', cents: 450 });
      if (prices.seen++ === 0) await upstream('cut/3'); // all attempts of one price
      if (price.stale) prices.stale++;
      else if (prices.stale > 0) prices.fresh++;
      if (prices.fresh > 0) break;
    }
    expect(prices.stale).toBeGreaterThan(0);
  });

  it('answers by a status, and begins no stream, where there is no first price', async () => {
    const { url, upstream } = await startExample('sse');
    await upstream('unavailable');
    for (let request = 0; request < 2; request++)
      expect((await fetch(`${url}/prices/coffee`)).status).toBeGreaterThanOrEqual(500);
    expect(await ask(`${url}/prices/coffee`)).toMatchObject({
      status: 503,
      body: { code: 'CIRCUIT_OPEN' },
    });
  });
});
