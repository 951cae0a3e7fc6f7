import { createServer } from 'node:http';
import { FAULTS, type Fault } from '../upstreams/fault.js';
import { FlakyUpstream } from '../upstreams/flaky-upstream.js';

/**
 * The other service of all examples, which knows prices and charges orders, beside a switch for what is wrong with it:
 * `curl localhost:4000/hang`. `cut/2` loses its next two answers, after the work was done.
 *
 * @returns where it listens
 */
export async function startUpstream(switchPort: number): Promise<string> {
  const charges = new Set<string>(); // by idempotency key
  let cuts = 0;
  const upstream = await FlakyUpstream.start(({ path, headers, body }) => {
    if (path === '/charges') charges.add(String(headers['idempotency-key']));
    if (cuts > 0) {
      cuts -= 1;
      throw new Error('The connection is cut');
    }
    return path === '/charges' ? { charged: body } : { sku: path.split('/').at(-1), cents: 450 };
  });
  const turn = async ([name, count]: string[]): Promise<void> => {
    if (name === 'cut') cuts = Number(count ?? 1);
    else if (FAULTS.includes(name as Fault)) await upstream.setFault(name as Fault);
    else if (name !== '') throw new Error(`There are ${FAULTS.join(', ')}, cut/2`);
  };
  const answer = async (path: string): Promise<unknown> => {
    try {
      await turn(path.slice(1).split('/'));
    } catch (error) {
      return { error: (error as Error).message };
    }
    return { fault: upstream.fault, calls: upstream.calls, charges: charges.size };
  };
  createServer(async ({ url = '/' }, response) => {
    response.end(`${JSON.stringify(await answer(url))}\n`);
  }).listen(switchPort);
  return upstream.url;
}
