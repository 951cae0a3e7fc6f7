import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Dependent } from '../../lib/context/dependent.js';
import { follow, unfollow } from '../../lib/context/followed-signals.js';
import { QueueTime } from '../../lib/context/queue-time.js';
import { refuseWithout } from '../../lib/context/refusal.js';
import { innermost, Scope } from '../../lib/context/scope.js';

const NEVER = Number.POSITIVE_INFINITY;

/** A scope in another, with a deadline that came from a timeout of so many ms. */
const scope = (around?: Scope, expiresAt = NEVER, timeoutMs = NEVER) =>
  new Scope(1, around, expiresAt, timeoutMs);

/** The request of a client that gives it so much time. */
class Request extends Scope {
  override get impatient() {
    return true;
  }
  override get committed() {
    return true;
  }
  override get repeatable() {
    return true;
  }
  override get critical() {
    return true;
  }
}
const request = (expiresAt: number) => new Request(1, undefined, expiresAt, 500);

/** A call that notes what becomes of the scope that it was made in. */
class Call implements Dependent {
  previous: Dependent | undefined = undefined;
  next: Dependent | undefined = undefined;
  readonly told: unknown[] = [];
  constructor(private readonly log: unknown[] = []) {}
  cancel(reason: unknown): void {
    this.told.push(reason);
    this.log.push(this);
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('The deadline of a scope', () => {
  it('is its own or that of its caller, whichever comes first, and names the timeout that it came from', () => {
    const outer = scope(undefined, 1_000, 300);
    const shorter = scope(outer, 700, 100);
    const longer = scope(outer, 2_000, 900);
    expect([shorter.deadline, shorter.timeoutMs]).toEqual([700, 100]);
    expect([longer.deadline, longer.timeoutMs]).toEqual([1_000, 300]);
    expect([outer.deadline, outer.timeoutMs]).toEqual([1_000, 300]);
    expect(scope().deadline).toBe(NEVER);
    expect(scope(scope(), 5, 4).timeoutMs).toBe(4);
  });

  it('is that of the call around where the caller has ended', () => {
    const outer = scope(undefined, 1_000, 300);
    const middle = scope(outer, 500, 50);
    const inner = scope(middle);
    expect(inner.deadline).toBe(500);
    middle.end();
    expect(inner.caller).toBe(outer);
    expect([inner.deadline, inner.timeoutMs]).toEqual([1_000, 300]);
    expect([innermost(middle), innermost(inner), innermost(undefined)]).toEqual([
      outer,
      inner,
      undefined,
    ]);
  });

  it('is a client’s impatience where it comes from one, and not where the call’s own comes first', () => {
    const inbound = request(1_000);
    expect(scope(inbound).impatient).toBe(true);
    expect(scope(scope(inbound)).impatient).toBe(true);
    expect(scope(inbound, 900, 100).impatient).toBe(false);
    expect(scope(scope(undefined, 1_000, 300)).impatient).toBe(false);
    expect(scope().impatient).toBe(false);
  });

  it('has cost a client its patience when it is up, or less than 2 ms from it', () => {
    const call = scope(request(1_000));
    expect([997, 998, 998.5, 1_001].map((at) => call.hasLostPatience(at))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(scope(undefined, 1_000, 300).hasLostPatience(1_001)).toBe(false);
    expect(scope(request(0)).hasLostPatience()).toBe(true);
  });

  it('ends in an error that names the timeout, the operation, and whether it was a client’s', () => {
    expect(scope(scope(undefined, 1_000, 300)).outOfTime('Service.run')).toMatchObject({
      timeoutMs: 300,
      operation: 'Service.run',
      byClient: false,
    });
    expect(scope(request(1_000)).outOfTime()).toMatchObject({ timeoutMs: 500, byClient: true });
  });

  it('lets nothing start once it has passed, or once the caller was aborted', () => {
    const caller = scope(undefined, 1_000, 300);
    expect(() => refuseWithout(undefined, 5_000)).not.toThrow();
    expect(() => refuseWithout(caller, 999)).not.toThrow();
    expect(() => refuseWithout(caller, 1_000)).toThrow('timed out after 300 ms');
    expect(() => refuseWithout(scope(undefined, 0, 7))).toThrow('timed out after 7 ms');
    caller.abort(new Error('gone'));
    expect(() => refuseWithout(caller, 0)).toThrow('gone');
    expect(() => refuseWithout(scope(), 0)).not.toThrow();
  });
});

describe('What a scope does not say itself', () => {
  it('is as its caller says', () => {
    const inner = scope(scope(request(1_000)));
    expect([inner.committed, inner.repeatable, inner.critical]).toEqual([true, true, true]);
  });

  it('is nothing of note where there is no caller', () => {
    const alone = scope();
    expect([alone.committed, alone.repeatable, alone.critical, alone.failedBefore]).toEqual([
      false,
      false,
      undefined,
      undefined,
    ]);
  });
});

describe('The policies that a scope is in', () => {
  class Through extends Scope {
    constructor(
      private readonly policy: object,
      around?: Scope,
    ) {
      super(1, around, NEVER, NEVER);
    }
    override permitFor(policy: object): number | undefined {
      return policy === this.policy ? 0 : undefined;
    }
  }

  it('are found from the inside out, each at its innermost call', () => {
    const [breaker, other, unknown] = [{}, {}, {}];
    const outer = new Through(breaker);
    const middle = new Through(other, new Through(breaker, outer));
    const inner = scope(scope(middle));
    expect(inner.callThrough(other)).toBe(middle);
    expect(inner.callThrough(breaker)).toBe(middle.around);
    expect(middle.around?.callThrough(breaker)).toBe(outer);
    expect(outer.callThrough(breaker)).toBeUndefined();
    expect(inner.callThrough(unknown)).toBeUndefined();
  });

  it('have counted an outcome inside by its error, or by one that it was made of', () => {
    const call = scope();
    expect([call.hasOutcomes, call.hasOutcome(undefined)]).toEqual([false, false]);
    const error = new Error('down');
    call.noteOutcome({ error });
    expect(call.hasOutcomes).toBe(true);
    expect(call.hasOutcome(error)).toBe(true);
    expect(call.hasOutcome(new Error('outer', { cause: error }))).toBe(true);
    expect([new Error('down'), undefined].map((each) => call.hasOutcome(each))).toEqual([
      false,
      false,
    ]);
    const answered = scope();
    answered.noteOutcome(); // one that went well
    expect([answered.hasOutcomes, answered.hasOutcome(undefined)]).toEqual([true, false]);
    answered.noteOutcome({ error: undefined });
    expect(answered.hasOutcome(undefined)).toBe(true);
  });

  it('keep no more than a thousand outcomes of one call', () => {
    const call = scope();
    const errors = Array.from({ length: 1_001 }, (_, n) => new Error(`${n}`));
    for (const error of errors) call.noteOutcome({ error });
    expect([errors[0], errors[999], errors[1_000]].map((each) => call.hasOutcome(each))).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe('The time in queues', () => {
  it('counts once where several calls wait at once', () => {
    const time = new QueueTime();
    expect([time.isWaiting, time.totalMs(50)]).toEqual([false, 0]);
    time.begin(100);
    time.begin(120);
    expect([time.isWaiting, time.totalMs(130)]).toEqual([true, 30]);
    time.end(140);
    expect([time.isWaiting, time.totalMs(145)]).toEqual([true, 45]);
    time.end(150);
    expect([time.isWaiting, time.totalMs(500)]).toEqual([false, 50]);
    time.begin(600);
    expect(time.totalMs(605)).toBe(55);
    time.end(610);
    expect(time.totalMs(900)).toBe(60);
  });

  it('of a call is that of the calls around it as well', () => {
    const outer = scope();
    const inner = scope(scope(outer));
    expect([outer.queuedMs(100), inner.queuedMs(100)]).toEqual([0, 0]);
    inner.beginWait(100);
    inner.endWait(130);
    expect([outer.queuedMs(200), inner.queuedMs(200), scope(outer).queuedMs(200)]).toEqual([
      30, 30, 0,
    ]);
  });

  it('is all that a call has had where it waits now, and has for nine tenths of its time', () => {
    const call = scope();
    expect(call.isQueued(0, 0)).toBe(false);
    call.beginWait(10);
    expect([99, 100, 200].map((at) => call.isQueued(0, at))).toEqual([false, true, true]);
    call.endWait(200);
    expect(call.isQueued(0, 200)).toBe(false);
  });
});

describe('A scope that is aborted', () => {
  it('ends the calls inside it before its signal tells, once, and none that has left', () => {
    const log: unknown[] = [];
    const caller = scope();
    const [first, second, left] = [new Call(log), new Call(log), new Call(log)];
    for (const call of [first, second, left]) caller.adopt(call);
    caller.release(left);
    caller.signal.addEventListener('abort', () => log.push('signal'));
    caller.abort('reason');
    caller.abort('another');
    expect(log).toEqual([first, second, 'signal']);
    expect(first.told).toEqual(['reason']);
    expect([caller.aborted, caller.reason, caller.signal.reason]).toEqual([
      true,
      'reason',
      'reason',
    ]);
  });

  it('has a signal that is aborted also where nobody has asked for it before', () => {
    const caller = scope();
    caller.abort('reason');
    expect([caller.signal.aborted, caller.signal.reason]).toEqual([true, 'reason']);
    expect(caller.signal).toBe(caller.signal);
    expect(scope().signal.aborted).toBe(false);
  });

  it('is over in the next turn of the event loop only: what reacts to the abort is still inside', async () => {
    const caller = scope();
    caller.abort('reason');
    caller.end();
    expect(caller.over).toBe(false);
    await nextTurn();
    expect(caller.over).toBe(true);
  });

  it('was not over before: then nothing is aborted any more', () => {
    const caller = scope();
    const call = new Call();
    caller.adopt(call);
    caller.end();
    expect(caller.over).toBe(true);
    caller.abort('reason');
    expect([caller.aborted, caller.signal.aborted, call.told]).toEqual([false, false, []]);
  });
});

it('A scope that has ended well lets what can move on move on to its caller, and all else go', () => {
  const outer = scope();
  const caller = scope(outer);
  const moved: unknown[] = [];
  const moving = Object.assign(new Call(), { moveOn: (to: unknown) => void moved.push(to) });
  caller.adopt(moving);
  caller.adopt(new Call());
  caller.end();
  expect(moved).toEqual([outer]);
});

describe('A call that follows a signal', () => {
  let controller: AbortController;
  beforeEach(() => {
    controller = new AbortController();
  });
  const listeners = () => getEventListeners(controller.signal, 'abort').length;
  const following = (call = new Call()) => {
    follow(controller.signal, call);
    return call;
  };

  it('ends with it, until it leaves', () => {
    const [follower, left] = [following(), following()];
    unfollow(controller.signal, left);
    controller.abort('signal');
    expect([follower.told, left.told]).toEqual([['signal'], []]);
  });

  it('ends at once by a signal that was aborted before', () => {
    controller.abort('before');
    const call = following();
    expect(call.told).toEqual(['before']);
    expect(listeners()).toBe(0);
    unfollow(controller.signal, call);
  });

  it('shares one listener with all that follow the signal, which goes with the last of them', () => {
    const [first, second] = [following(), following()];
    expect(listeners()).toBe(1);
    unfollow(controller.signal, first);
    unfollow(controller.signal, first);
    expect(listeners()).toBe(1);
    unfollow(controller.signal, second);
    expect(listeners()).toBe(0);
    const call = following();
    expect(listeners()).toBe(1);
    controller.abort('later');
    expect(call.told).toEqual(['later']);
  });

  it('can leave after the signal was aborted', () => {
    const call = following();
    controller.abort('signal');
    unfollow(controller.signal, call);
    expect(call.told).toEqual(['signal']);
  });
});
