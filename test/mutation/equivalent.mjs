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
    'lib/pipeline/call.ts',
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
    'lib/hedge/hedge.policy.ts',
    'if (this.options.afterPercentile !== undefined) this.latest.add(durationMs);',
    'true',
    'what is kept is read under the same condition alone',
  ],
  [
    'lib/nest/handlers.ts',
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
    'lib/circuit-breaker/circuit-breaker.policy.ts',
    'if (this.state === CircuitState.OPEN && this.recovery?.openTime.isOver(at)) {',
    'this.recovery.openTime',
    'an open breaker recovers',
  ],
  [
    'lib/circuit-breaker/circuit-breaker.policy.ts',
    'else if (!recovery.rampUp?.admits(at)) throw this.rejection(at, scope);',
    'recovery.rampUp.admits',
    'what recovers while it is closed ramps up',
  ],
  [
    'lib/circuit-breaker/circuit-breaker.policy.ts',
    'if (recovery.isOver(at)) this.recovery = undefined;',
    'false',
    'a ramp that is over admits everybody as well, at a higher cost',
  ],
  [
    'lib/circuit-breaker/circuit-breaker.policy.ts',
    'return this.recovery?.retryAfterMs(at) ?? 0;',
    'this.recovery.retryAfterMs',
    'what rejects recovers',
  ],
  [
    'lib/circuit-breaker/circuit-breaker.policy.ts',
    'return this.recovery?.openTime.cause;',
    'this.recovery.openTime',
    'what rejects recovers',
  ],
  [
    'lib/circuit-breaker/outcomes.ts',
    'if (failureRateThreshold !== undefined && failures * 100 >= failureRateThreshold * calls)',
    'true',
    'nothing is at least NaN',
  ],
  [
    'lib/circuit-breaker/outcomes.ts',
    'if (slowCallRateThreshold !== undefined && slow * 100 >= slowCallRateThreshold * calls)',
    'true',
    'nothing is at least NaN',
  ],
  [
    'lib/circuit-breaker/outcomes.ts',
    "return reason !== 'slow-call-rate' || lastFailure?.slow ? lastFailure?.error : undefined;",
    'lastFailure.error',
    'there is one where failures are the reason',
  ],
  [
    'lib/circuit-breaker/outcomes.ts',
    'if (failureThreshold === undefined) return false;',
    'false',
    'no number is at least undefined, and no times of none are kept',
  ],
  [
    'lib/circuit-breaker/verdict.ts',
    'if (slowCallDurationMs === undefined) return false;',
    'false',
    'nothing is above undefined',
  ],
  [
    'lib/circuit-breaker/verdict.ts',
    'return at - startedAt - (scope?.queuedMs(at) ?? 0) > slowCallDurationMs;',
    'scope.queuedMs',
    'where calls can be slow each has a scope',
  ],
  [
    'lib/circuit-breaker/circuit-breaker.options.ts',
    'if (value !== undefined && value > windowCalls) {',
    'true',
    'undefined is above nothing',
  ],
  [
    'lib/circuit-breaker/circuit-breaker.options.ts',
    'if (given.maxTimeoutMs !== undefined && given.maxTimeoutMs < timeoutMs) {',
    'true',
    'undefined is below nothing',
  ],
  [
    'lib/bulkhead/bulkhead.policy.ts',
    'if (holder !== undefined) this.loans.reserve(holder, ticket);',
    'true',
    'nobody has no loan',
  ],
  [
    'lib/bulkhead/bulkhead.policy.ts',
    'return ++this.untimed % TIMED_RUNS === 0;',
    '--this.untimed',
    'there are as many multiples below zero',
  ],
  [
    'lib/bulkhead/loans.ts',
    'this.byLender.get(lender)?.waiting.add(ticket);',
    'this.byLender.get(lender).waiting',
    'who could lend to it has lent to another',
  ],
  [
    'lib/attempt/ticket-queue.ts',
    'if (!ticket.waiting) return false;',
    'true',
    'the owner of the queue is told the same once more',
  ],
  [
    'lib/attempt/ticket-queue.ts',
    'if (ticket.timeout !== undefined) this.timeouts?.remove(ticket.timeout);',
    'this.timeouts.remove',
    'a ticket has a timeout where there are timeouts',
  ],
  [
    'lib/common/adaptive-limit.ts',
    "this.phase = 'steady';",
    '""',
    'it is none of the other phases, by which alone it is told',
  ],
  [
    'lib/common/adaptive-limit.ts',
    "if (waiting >= alpha) this.phase = 'steady';",
    '""',
    'it is none of the other phases, by which alone it is told',
  ],
  [
    'lib/errors/error-headers.ts',
    "if (typeof headers !== 'object' || headers === null) return undefined;",
    'false',
    'reading null throws, which is caught',
  ],
  ['lib/errors/error-headers.ts', '} catch {', '{}', 'it answers with nothing either way'],
  [
    'lib/errors/error-headers.ts',
    'const last = Math.min(headers.length, 2 * MAX_HEADERS) - 1;',
    'Math.min(headers.length, 2 * MAX_HEADERS) + 1',
    'a name without a value adds nothing',
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
