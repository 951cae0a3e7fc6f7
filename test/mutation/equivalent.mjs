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
    'lib/pipeline/attempt.ts',
    'this.owner.plan.stages.bulkhead?.release(undefined, this, this.lender);',
    'this.owner.plan.stages.bulkhead.release',
    'who holds a slot has a bulkhead',
  ],
  [
    'lib/pipeline/attempt.ts',
    'this.onAbandoned?.(reason);',
    'this.onAbandoned(reason)',
    'what this throws is dropped, like what a listener throws',
  ],
  [
    'lib/pipeline/execution.ts',
    'if (mayBeEnded || CallContext.isCheap) this.context = new CallContext();',
    'true',
    'it saves a context that nobody comes back to',
  ],
  [
    'lib/pipeline/execution.ts',
    'if (caller !== undefined || signal !== undefined) this.leave = join(this, caller, signal);',
    'true',
    'who joins nobody is told of nothing',
  ],
  [
    'lib/pipeline/execution.ts',
    'if (stream !== undefined) closeStream(stream);',
    'true',
    'what closing throws is dropped, and nothing cannot be closed',
  ],
  [
    'lib/pipeline/execution.ts',
    'protected get hedge(): HedgePolicy | undefined {',
    '{}',
    'it answers with nothing either way',
  ],
  [
    'lib/pipeline/hedged-attempts.ts',
    'for (const loser of this.made) if (loser !== attempt) loser.cancel(fasterOne());',
    'true',
    'the winner has ended, and cannot be cancelled any more',
  ],
  [
    'lib/pipeline/stream.ts',
    'if (this.ended) return;',
    'false',
    'what has ended cannot be cancelled any more: it saves the error that says why',
  ],
  [
    'lib/pipeline/stream.ts',
    'if (!begun) attempt.begun(STREAMING);',
    'true',
    'an attempt begins once, however often it is told so',
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
  [
    'lib/binding/substitutes.ts',
    'if (policy !== undefined) substitutePolicy(policy, given, catalog);',
    'true',
    'what is not asked for above is the token of a policy that something requests',
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
