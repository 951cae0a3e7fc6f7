import { spawnSync } from 'node:child_process';
import { ask, killExamples, startExample } from './start-example.js';

afterEach(killExamples);

describe('The example of a monorepo that SWC compiles', () => {
  it('protects the service of its library, as metadata tells what that returns', async () => {
    const { url, upstream, output } = await startExample('monorepo-swc');
    const price = { status: 200, body: { sku: 'tea', cents: 450 } };
    expect(await ask(`${url}/prices/tea`)).toMatchObject(price);
    await upstream('cut/2');
    expect(await ask(`${url}/prices/tea`)).toMatchObject(price);
    expect(output()).not.toContain('WARN');
    await upstream('unavailable');
    await ask(`${url}/prices/tea`);
    expect(await ask(`${url}/prices/tea`)).toMatchObject({
      status: 503,
      body: { code: 'CIRCUIT_OPEN' },
    });
  });

  it('has the types that its packages ask of each other', () => {
    const { stdout } = spawnSync('npx', ['tsc', '-p', 'sample-app/examples/monorepo-swc'], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
  });
});
