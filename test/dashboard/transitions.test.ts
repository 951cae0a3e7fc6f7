import { describe, expect, it } from '@jest/globals';
import { type StateChange, Transitions } from '../../lib/dashboard/transitions.js';
import { CircuitState, type CircuitTransitionReason, ErrorTracker } from '../../lib/index.js';

const { CLOSED, OPEN, HALF_OPEN, FORCED_OPEN, DISABLED } = CircuitState;

/** The history of breakers whose changes a test tells, a second after each other. */
function history() {
  const tracker = new ErrorTracker({ redactMessage: (text) => text.replace('4242', '****') });
  const transitions = new Transitions((error) => tracker.describe(error));
  let at = Date.parse('2026-01-01T12:00:00Z');
  const change =
    (from: CircuitState, to: CircuitState, reason: CircuitTransitionReason) =>
    (breaker = 'payments', details: Partial<StateChange> = {}) => {
      at += 1_000;
      const timestamp = new Date(at).toISOString();
      const counts = { calls: 8, failures: 5, failureRate: 62.5 };
      transitions.add({
        type: 'circuit-state',
        timestamp,
        breaker,
        from,
        to,
        reason,
        ...counts,
        ...details,
      });
      return timestamp;
    };
  return {
    transitions,
    open: change(CLOSED, OPEN, 'failure-threshold'),
    probe: change(OPEN, HALF_OPEN, 'open-time-passed'),
    fail: change(HALF_OPEN, OPEN, 'probe-failed'),
    close: change(HALF_OPEN, CLOSED, 'probes-succeeded'),
    force: change(OPEN, FORCED_OPEN, 'forced-open'),
    reset: change(FORCED_OPEN, CLOSED, 'reset'),
    disable: change(CLOSED, DISABLED, 'disabled'),
    wait: (ms: number) => {
      at += ms;
    },
    entries: () => transitions.newestFirst(),
  };
}

describe('Transitions', () => {
  it('make one entry of an outage, however often recovery fails, with what opened the breaker first', () => {
    const { open, probe, fail, entries, transitions } = history();
    const root = new Error('the root', { cause: new TypeError('refused') });
    const since = open('payments', { error: root });
    let at = '';
    for (let n = 0; n < 500; n++) {
      probe('payments', { calls: 0, failures: 0, failureRate: 0 });
      const counts = { calls: 1, failures: 1, failureRate: 100 };
      at = fail('payments', { ...counts, error: new Error(`probe ${n}`) });
    }
    const outage = {
      breaker: 'payments',
      since,
      at,
      from: CLOSED,
      to: OPEN,
      reason: 'probe-failed',
      opening: {
        reason: 'failure-threshold',
        calls: 8,
        failures: 5,
        failureRate: 62.5,
        error: {
          type: 'Error',
          message: 'the root',
          cause: { type: 'TypeError', message: 'refused' },
        },
      },
      reopened: 500,
      latest: { type: 'Error', message: 'probe 499' },
      probes: 500,
      failedProbes: 500,
      rejected: 0,
    };
    expect(entries()).toEqual([outage]);
    expect(transitions.openingOf('payments')).toEqual(outage);
  });

  it('end an outage when the breaker closes', () => {
    const { open, probe, close, entries, transitions } = history();
    const since = open();
    probe();
    const at = close();
    expect(entries()).toEqual([
      expect.objectContaining({ since, at, to: CLOSED, reason: 'probes-succeeded', reopened: 0 }),
    ]);
    expect(transitions.openingOf('payments')).toBeUndefined();
  });

  it('count an opening within a minute of the last closing to the same outage, and a later one to a new one', () => {
    const { open, probe, close, wait, entries } = history();
    const since = open('payments', { error: new Error('first') });
    probe();
    close();
    wait(50_000);
    open('payments', { error: new Error('second') });
    expect(entries()).toEqual([
      expect.objectContaining({
        since,
        to: OPEN,
        reopened: 1,
        opening: expect.objectContaining({ error: { type: 'Error', message: 'first' } }),
        latest: { type: 'Error', message: 'second' },
      }),
    ]);
    probe();
    close();
    wait(60_000);
    open();
    expect(entries()).toHaveLength(2);
  });

  it('tell how an outage went: its probes, the calls that were rejected, when it was over', () => {
    const { transitions, open, probe, fail, close, wait, entries } = history();
    const since = open();
    for (let n = 0; n < 1_200; n++) transitions.rejected('payments');
    probe();
    fail('payments', { calls: 1, failures: 1 });
    transitions.rejected('payments');
    wait(180_000);
    probe();
    const at = close('payments', { calls: 3, failures: 1 });
    transitions.rejected('payments'); // of before, told late
    transitions.rejected('another');
    expect(entries()).toEqual([
      expect.objectContaining({
        since,
        at,
        to: CLOSED,
        reopened: 1,
        probes: 4,
        failedProbes: 2,
        rejected: 1_201,
      }),
    ]);
  });

  it('tell who has ordered a change, also within an outage, and nobody of what came by itself', () => {
    const { open, force, disable, probe, entries } = history();
    open('payments');
    force('payments', { by: 'anna' });
    disable('stock', { by: 'ben' });
    open('search');
    probe('search');
    expect(entries().map(({ breaker, to, by }) => [breaker, to, by])).toEqual([
      ['search', HALF_OPEN, undefined],
      ['stock', DISABLED, 'ben'],
      ['payments', FORCED_OPEN, 'anna'],
    ]);
  });

  it('show what somebody does by hand on its own, after the outages that go on', () => {
    const { open, disable, force, reset, entries } = history();
    open('payments');
    open('search');
    disable('stock');
    force('search');
    reset('search');
    expect(entries().map(({ breaker, from, to }) => [breaker, from, to])).toEqual([
      ['payments', CLOSED, OPEN],
      ['search', FORCED_OPEN, CLOSED],
      ['search', CLOSED, FORCED_OPEN],
      ['stock', CLOSED, DISABLED],
    ]);
  });

  it('keep 50, and outages that go on rather than what is over', () => {
    const { open, probe, close, entries } = history();
    open('ongoing');
    for (let n = 0; n < 500; n++) {
      open(`breaker ${n}`);
      probe(`breaker ${n}`);
      close(`breaker ${n}`);
    }
    expect(entries()).toHaveLength(50);
    expect(entries()[0]?.breaker).toBe('ongoing');
    expect(entries().at(-1)?.breaker).toBe('breaker 451');
  });

  it('tell errors as the tracker does: without secrets, and as redactMessage leaves them', () => {
    const { transitions, open } = history();
    const cause = new Error('GET http://u:hunter2@bank');
    open('payments', { error: new Error('card 4242', { cause }) });
    expect(transitions.newestFirst()[0]?.opening?.error).toEqual({
      type: 'Error',
      message: 'card ****',
      cause: { type: 'Error', message: 'GET http://[redacted]@bank' },
    });
  });

  it('tell of whatever was thrown, within bounds', () => {
    const { open, entries } = history();
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
      },
    );
    const thrown = [undefined, 'text', hostile, new Error('x'.repeat(5_000))];
    for (const [n, error] of thrown.entries()) open(`breaker ${n}`, { error });
    const messages = entries().map(({ opening }) => opening?.error?.message.length ?? 0);
    expect(Math.max(...messages)).toBe(500);
    expect(messages).toHaveLength(4);
  });
});
