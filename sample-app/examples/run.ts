/** `npm run example http`: an example by its name, and the service that it calls. */
import { readdirSync } from 'node:fs';
import { serveFunction } from './serve-function.js';
import { startUpstream } from './upstream.js';

const sources = 'sample-app/examples';
const names = readdirSync(sources, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const [name = ''] = process.argv.slice(2);

if (names.includes(name)) {
  const url = await startUpstream(Number(process.env.SWITCH_PORT ?? 4_000));
  process.env.PRICES_URL = url;
  process.env.PAYMENTS_URL = url;
  const { handler } = await import(`./${name}/main.js`);
  if (handler !== undefined) serveFunction(handler, Number(process.env.PORT ?? 3_000));
  console.log(`How to try it stands at the head of ${sources}/${name}/main.ts. Ctrl-C ends it.`);
} else {
  console.error(`Which one? npm run example ${names.join(' | ')}`);
  process.exitCode = 1;
}
