import { type Transpiled, transpiled } from '../../support/transpiled.js';

const HARNESS = 'test/fleet/harness';
const PARTS = ['clients', 'messages', 'policies', 'shared-time'];

/** The pods' program, for plain Node. */
export function podProgram(): Promise<Transpiled> {
  return transpiled(`${HARNESS}/pod-program.ts`, ...PARTS.map((part) => `${HARNESS}/${part}.ts`));
}
