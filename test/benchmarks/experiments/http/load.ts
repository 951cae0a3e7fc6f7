import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Remote } from '../../lab/remote.js';
import { installedPath } from '../../packages.js';

const AUTOCANNON = installedPath('autocannon/autocannon.js');
const CONNECTIONS = 20;
const run = promisify(execFile);

/** A process that serves the route. */
export interface Server {
  readonly child: Remote<typeof import('./server.js')>;
  readonly port: number;
}

/**
 * Asks a server so often, from a process that is not measured.
 *
 * @returns µs of CPU a request, in the server
 */
export async function cpuPerRequest({ child, port }: Server, requests: number): Promise<number> {
  const before = await child.call('cpuTime');
  const { stdout } = await run(process.execPath, [
    AUTOCANNON,
    ...['--connections', String(CONNECTIONS)],
    ...['--amount', String(requests)],
    '--json',
    '--no-progress',
    `http://127.0.0.1:${port}/route`,
  ]);
  const { '2xx': answered, non2xx, errors } = JSON.parse(stdout);
  if (non2xx + errors > 0) throw new Error(`${non2xx + errors} requests failed`);
  return ((await child.call('cpuTime')) - before) / answered;
}
