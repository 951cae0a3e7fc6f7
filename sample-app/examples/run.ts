/** `npm run example http`: an example by its name, and the service that it calls. */
import { existsSync, readdirSync } from 'node:fs';
import { serveFunction } from './serve-function.js';
import { startUpstream } from './upstream.js';
import { buildWorkspace } from './workspace.js';

const sources = 'sample-app/examples';
const names = readdirSync(sources, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const [name = ''] = process.argv.slice(2);

if (names.includes(name)) {
  const url = await startUpstream(Number(process.env.SWITCH_PORT ?? 4_000));
  process.env.PRICES_URL = url;
  process.env.PAYMENTS_URL = url;
  const isWorkspace = existsSync(`${sources}/${name}/packages`);
  const main = isWorkspace
    ? `${buildWorkspace(`${sources}/${name}`)}/packages/shop/dist/main.js`
    : `./${name}/main.js`;
  const { handler } = await import(main);
  if (handler !== undefined) serveFunction(handler, Number(process.env.PORT ?? 3_000));
  const head = `${sources}/${name}/${isWorkspace ? 'packages/shop/src/' : ''}main.ts`;
  console.log(`How to try it stands at the head of ${head}. Ctrl-C ends it.`);
} else {
  console.error(`Which one? npm run example ${names.join(' | ')}`);
  process.exitCode = 1;
}
