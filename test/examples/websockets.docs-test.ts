import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type Example, killExamples, startExample } from './start-example.js';

let example: Example;
let socket: WebSocket;
beforeEach(async () => {
  example = await startExample('websockets', { WATCH_MS: '20' });
  socket = new WebSocket(`ws://localhost:${example.port}`);
  await once(socket, 'open');
});
afterEach(async () => {
  socket?.terminate();
  await killExamples();
});

const next = async () => JSON.parse(`${(await once(socket, 'message'))[0]}`);

async function send(event: string, data: unknown): Promise<unknown> {
  const answer = next();
  socket.send(JSON.stringify({ event, data }));
  return answer;
}

describe('The example of WebSockets', () => {
  it('answers by an exception with a code what its client fails by', async () => {
    const { upstream } = example;
    const price = { event: 'price', data: { sku: 'tea', cents: 450 } };
    expect(await send('price', 'tea')).toEqual(price);
    await upstream('cut/2');
    expect(await send('price', 'tea')).toEqual(price);
    await upstream('unavailable');
    await send('price', 'tea');
    expect(await send('price', 'tea')).toMatchObject({
      event: 'exception',
      data: { status: 'error', code: 'CIRCUIT_OPEN' },
    });
  });

  it('streams on while prices fail, and asks for none once its client has gone', async () => {
    const { upstream } = example;
    expect(await send('watch', 'tea')).toMatchObject({ data: { cents: 450 } });
    await upstream('unavailable');
    while ((await next()).data.cents !== 'unknown'); // those that were on their way
    await upstream('none');
    socket.terminate();
    let calls = -1;
    for (;;) {
      const { calls: now } = await upstream();
      if (now === calls) break;
      calls = now;
      await new Promise((resolve) => setTimeout(resolve, 200)); // ten prices' time
    }
    expect(example.output()).not.toContain('AbortError');
  });
});
