import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Transpiled, transpiled } from '../support/transpiled.js';

let built: Transpiled;

beforeAll(async () => {
  built = await transpiled('test/clock/faked-timers-module.ts');
});
afterAll(() => built.remove());

describe('Where a test has put fakes into the timers module of Node', () => {
  it('what waits for the next turn of the event loop still gets it', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [built.program]);
    expect(stdout.trim().split('\n').sort()).toEqual([
      'after the event loop was blocked',
      'amid many steps',
      'at the end of a turn',
    ]);
  });
});
