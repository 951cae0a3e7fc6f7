/**
 * Changes that no test can notice, because the code does the same with them. Each by its file, the line
 * that it is made in, what then stands there, and why that is the same.
 */

import { readFileSync } from 'node:fs';

const EQUIVALENT = [
  [
    'lib/timeout/timeout.policy.ts',
    "constructor(timeoutMs: number, place = 'timeoutMs') {",
    '""',
    'every caller names the place',
  ],
  [
    'lib/hedge/hedge.policy.ts',
    'if (this.options.afterPercentile !== undefined) this.latest.add(durationMs);',
    'true',
    'what is kept is read under the same condition alone',
  ],
  [
    'lib/dispatch/handlers.ts',
    'if (answer === undefined) {',
    'true',
    'the answer is looked up again, and is the same',
  ],
  [
    'lib/dispatch/runtime-slot.ts',
    'if (SLOT in prototype) return;',
    'false',
    'the slot is made again, as it was',
  ],
];

export function isEquivalent({ fileName, location, replacement }) {
  return EQUIVALENT.some(
    ([file, line, change]) =>
      file === fileName && change === replacement && line === lineOf(fileName, location.start.line),
  );
}

const files = new Map();

function lineOf(fileName, index) {
  const lines = files.get(fileName) ?? readFileSync(fileName, 'utf8').split('\n');
  files.set(fileName, lines);
  return lines[index].trim();
}
