import { freePort } from './free-port.js';
import { type ServerProcess, startServer } from './server-process.js';

/** A NATS of the test's own. */
export interface Nats extends ServerProcess {
  readonly url: string;
}

/** @throws where there is no `nats-server`, or it does not start */
export async function startNats(): Promise<Nats> {
  const port = await freePort();
  const { stop } = await startServer({
    package: '`nats-server`',
    inFolder: () => ({
      command: 'nats-server',
      args: ['--addr', '127.0.0.1', '--port', String(port)],
    }),
    ready: 'Server is ready',
  });
  return { url: `nats://127.0.0.1:${port}`, stop };
}
