import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import { run, start } from './processes.mjs';

/** Ways of getting an object from Nest: the decorators have to work on each. */
const PROVIDERS = [
  'singleton',
  'transient',
  'factory',
  'request',
  'request-factory',
  'lazy',
  'lazy-factory',
];
const HANDLERS = ['handler', 'observable'];

/** Starts the application and asks it over HTTP. */
export async function serves(node, directory) {
  const app = start(node, ['dist/main.js'], directory);
  try {
    await showing(app.output, async () => {
      await asks(await app.says(/Listening on (\S+)/));
      assertNoWarning(app.output());
    });
  } finally {
    await app.stop();
  }
}

async function asks(url) {
  const get = async (path, headers = {}) => {
    const response = await fetch(`${url}${path}`, { headers });
    return { response, status: response.status, body: await response.json() };
  };
  assert.equal((await get('/health')).body.supplier, 'CLOSED');
  for (const kind of [...PROVIDERS, ...HANDLERS]) {
    const { status, body } = await get(`/attempts/${kind}`);
    assert.deepEqual({ kind, status, attempts: body.attempts }, { kind, status: 200, attempts: 3 });
  }
  assert.equal((await get('/attempts/request')).body.url, '/attempts/request');
  assert.deepEqual((await get('/supplier/delivery/tea')).body, { days: 14, article: 'tea' });

  const within = (ms) => get('/deadline', { 'x-request-timeout-ms': String(ms) });
  assert.deepEqual((await get('/deadline')).body, { guard: false, handler: false });
  assert.deepEqual((await within(30_000)).body, { guard: true, handler: true });
  assert.equal((await within(0)).body.code, 'TIMEOUT');
  assert.deepEqual((await get('/partner')).body, { guard: true, handler: true });

  assert.equal((await get('/supplier')).status, 502);
  const { response, status, body } = await get('/supplier');
  assert.equal(status, 503);
  assert.equal(body.code, 'CIRCUIT_OPEN');
  const retryAfter = Number(response.headers.get('retry-after'));
  assert.ok(retryAfter > 0 && retryAfter <= 60, `Retry-After is ${retryAfter}`);
  const health = await get('/health');
  assert.equal(health.status, 200);
  assert.equal(health.body.supplier, 'OPEN');

  const { openapi, paths } = (await get('/resilience/api/openapi.json')).body;
  assert.equal(openapi, '3.1.0');
  for (const path of Object.keys(paths).filter((each) => paths[each].get !== undefined))
    assert.equal((await get(`/resilience/api${path}`)).status, 200, path);
  const closing = await fetch(`${url}/resilience/api/breakers/supplier/close`, {
    method: 'POST',
    headers: { 'x-resilience-control': '1' },
  });
  assert.equal(closing.status, 204);
  assert.equal((await get('/health')).body.supplier, 'CLOSED');
}

/** Boots the application without a platform; it has to end by itself when it is closed. */
export async function boots(node, directory) {
  const output = await run(node, ['dist/context.js'], directory);
  await showing(
    () => output,
    () => {
      const line = output.split('\n').find((each) => each.startsWith('{"answers"'));
      assert.ok(line, 'It printed no answers');
      const { answers, isOpen, fallback } = JSON.parse(line);
      const attempts = Object.fromEntries(PROVIDERS.map((kind) => [kind, answers[kind]?.attempts]));
      assert.deepEqual(attempts, Object.fromEntries(PROVIDERS.map((kind) => [kind, 3])));
      assert.equal(isOpen, true);
      assert.deepEqual(fallback, { days: 14, article: 'tea' });
      assertNoWarning(output);
    },
  );
}

/** Runs the application's own tests, and finds no warning. */
export async function passes(node, directory) {
  const output = await passesInJest(node, directory);
  await showing(
    () => output,
    () => assertNoWarning(output),
  );
}

/** Runs the application's own tests, also of ES modules. */
export function passesInJest(node, directory) {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = '../node_modules/jest/bin/jest.js';
  return run(node, [...flags, jest, '--config', 'jest.config.json', '--ci'], directory);
}

export function passesInVitest(node, directory) {
  return run(node, ['../node_modules/vitest/vitest.mjs', 'run'], directory);
}

export function passesInNode(node, directory) {
  return run(node, ['--test', 'dist/payments.spec.js'], directory);
}

/** Neither Nest, nor the library, nor Node, but of the failures that the application is asked for, of a fleet that is not there, and of what was done to it. */
function assertNoWarning(output) {
  const lines = stripVTControlCharacters(output).split('\n');
  const others = lines.filter(
    (line) => !/WARN \[(ErrorTracker|CircuitBreaker|Fleet|ResilienceAdmin)\]/.test(line),
  );
  assert.doesNotMatch(others.join('\n'), /warn/i, 'It warns');
}

/** Adds to what fails what the application wrote. */
async function showing(output, assertions) {
  try {
    await assertions();
  } catch (error) {
    throw new Error(`${error.message}\n${output()}`);
  }
}
