import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to whoever asks for any, which could be given away again meanwhile. */
const [FIRST, COUNT] = [12_000, 20_000];

/** A port that nobody listens on, for servers that do not tell which one the system gave them. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    const server = createServer();
    try {
      await once(server.listen(port), 'listening');
      return port;
    } catch {
      // Somebody has it: another one will do.
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }
}
