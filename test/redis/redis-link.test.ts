import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FleetLink, FleetMember } from '../../lib/index.js';
import { RedisFleet } from '../../lib/redis/index.js';
import { FakeClient } from './fake-client.js';

const CHANNEL = 'bulwark:1:{shop}:0';
const NEVER = new Promise<never>(() => undefined);

describe('A link to Redis', () => {
  let client: FakeClient;
  let link: FleetLink;
  let refused: string[];
  let changes: [boolean, string | undefined][];
  let unanswered: number;
  let syncs: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    [refused, changes, unanswered, syncs] = [[], [], 0, 0];
    client = new FakeClient();
    const member: FleetMember = {
      instance: 'here',
      sync: async () => void syncs++,
      changed: (isUp, reason) => changes.push([isUp, reason?.message]),
      refused: (what) => refused.push(what),
      unanswered: () => void unanswered++,
    };
    link = new RedisFleet({ client, namespace: 'shop' }).link(member);
  });
  afterEach(async () => {
    client.answer = () => [1];
    await link.close();
    jest.useRealTimers();
  });

  /** Also of what comes in the next turns of the event loop. */
  async function pass(ms: number): Promise<void> {
    await jest.advanceTimersByTimeAsync(ms);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  }

  /** Heartbeats come back by the channel. */
  function echo(): void {
    client.publish(`${CHANNEL}:here`, '');
  }

  async function up(): Promise<void> {
    link.open();
    await pass(0);
    echo();
    expect(link.isUp).toBe(true);
  }

  it('asks for all that is shared when Redis answers to a heartbeat, and is up then', async () => {
    await up();
    expect([syncs, changes]).toEqual([1, [[true, undefined]]]);
    expect(client.made).toHaveLength(2);
    expect(client.made[1]?.subscribed).toEqual([CHANNEL, `${CHANNEL}:here`]);
  });

  it('sends a script in full where Redis does not know it', async () => {
    client.answer = ([script]) => {
      if (/^[0-9a-f]{40}$/.test(String(script)))
        throw new Error('NOSCRIPT No matching script. Please use EVAL.');
      return [1_000_000, 3, 1];
    };
    await up();
    expect(client.asked.map(({ by }) => by)).toEqual(['evalsha', 'eval']);
    expect(link.instances).toBe(3);
  });

  it('lets a write arrive no later than twice the time that its answer is waited for', async () => {
    await up();
    await pass(400);
    void link.verdicts.read('payments');
    const [, , , , , notAfter] = client.asked.at(-1)?.args ?? [];
    expect(Number(notAfter)).toBe(1_000_000 + 400 + 500);
  });

  it('answers with nothing where Redis does not in time, and asks by a heartbeat whether it is lost', async () => {
    await up();
    client.answer = ([, , key]) => (String(key).includes('instances') ? [1_000_300, 1, 0] : NEVER);
    const asked = link.verdicts.read('payments');
    await pass(250);
    expect(await asked).toBeUndefined();
    expect([link.isUp, unanswered]).toEqual([true, 1]);
  });

  it('is lost where that has no answer either, and tries again after half a second to a second', async () => {
    await up();
    client.answer = () => NEVER;
    void link.verdicts.read('payments');
    await pass(250);
    await pass(250);
    expect(changes.at(-1)).toEqual([false, 'there was no answer within 250 ms']);
    expect(client.made.map(({ status }) => status)).toEqual(['end', 'end']);
    client.answer = () => [1_000_000, 1, 0];
    await pass(499);
    expect(client.made).toHaveLength(2);
    await pass(501);
    expect(changes.at(-1)).toEqual([true, undefined]);
    expect([client.made.length, syncs]).toEqual([4, 2]);
  });

  it('does not take an event loop that was blocked for a slow Redis', async () => {
    await up();
    const answers: ((value: unknown) => void)[] = [];
    client.answer = () => new Promise((resolve) => answers.push(resolve));
    const asked = link.verdicts.read('payments');
    jest.advanceTimersByTime(900);
    answers[0]?.([0, 7, 0, 0, 0]); // read in the turn in which the timer was due
    expect(await asked).toMatchObject({ generation: 7 });
    expect(link.isUp).toBe(true);
  });

  it('does not take what Redis has done nothing for, as it came too late, for an answer', async () => {
    await up();
    client.answer = ([, , key]) =>
      String(key).includes('instances') ? [2_000_000, 1, 0] : [-1, 2_000_000];
    expect(await link.verdicts.read('payments')).toBeUndefined();
    await pass(0);
    client.answer = ([, , , , notAfter]) => [0, Number(notAfter), 0, 0, 0];
    expect(unanswered).toBe(1);
  });

  it('is lost when a connection ends, and says why in the words of the client', async () => {
    await up();
    client.drop(new Error('read ECONNRESET'));
    expect(changes.at(-1)).toEqual([false, 'read ECONNRESET']);
    expect(await link.verdicts.read('payments')).toBeUndefined();
  });

  it('is lost when it takes no writes', async () => {
    await up();
    client.answer = () => {
      throw new Error("READONLY You can't write against a read only replica.");
    };
    await pass(1_000);
    expect(changes.at(-1)?.[1]).toContain('READONLY');
  });

  it('is lost when what is published does not arrive', async () => {
    link.open();
    await pass(0);
    await pass(1_000);
    expect(changes).toEqual([
      [true, undefined],
      [false, 'what is published does not arrive'],
    ]);
  });

  it('says once that Redis is not there, however often it tries', async () => {
    client.connecting = () => Promise.reject(new Error('connect ECONNREFUSED 127.0.0.1:6379'));
    link.open();
    await pass(10_000);
    expect(client.made.length).toBeGreaterThan(10);
    expect(changes).toEqual([[false, 'connect ECONNREFUSED 127.0.0.1:6379']]);
  });

  it('says by its code why it is not reached where an error has no message', async () => {
    const error = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    client.connecting = () => Promise.reject(error);
    link.open();
    await pass(0);
    expect(changes).toEqual([[false, 'ECONNREFUSED']]);
  });

  it('gives a connection up that is not made within a second', async () => {
    client.connecting = () => NEVER;
    link.open();
    await pass(1_000);
    expect(changes).toEqual([[false, 'there was no connection within 1000 ms']]);
    expect(client.made.map(({ status }) => status)).toEqual(['end', 'end']);
  });

  it('asks again for all that is shared where Redis does not know the instance any more', async () => {
    await up();
    client.answer = () => [1_001_000, 1, 1];
    await pass(1_000);
    expect([syncs, link.isUp]).toEqual([2, true]);
  });

  it('goes on where a client has errors of its own', async () => {
    await up();
    for (const each of client.made) each.emit('error', new Error('of no consequence'));
    expect(link.isUp).toBe(true);
  });

  it('leaves when it is closed, once, and nothing is told or tried afterwards', async () => {
    await up();
    client.answer = () => [1];
    await Promise.all([link.close(), link.close()]);
    link.open();
    client.drop();
    await pass(5_000);
    expect(client.made).toHaveLength(2);
    expect(changes).toEqual([[true, undefined]]);
  });

  it.each([
    ['a number', 7],
    ['a text that is no JSON', '{'],
    ['no array', '{"1":2}'],
    ['another version', '[2,"verdict","payments",1,1,0,0]'],
    ['no kind', '[1,{"verdict":1}]'],
    ['a kind that is not known', '[1,"__proto__","payments"]'],
    ['too long a text', `[1,"verdict","${'a'.repeat(20_000)}"]`],
    ['values that are no verdict', '[1,"verdict","payments",1e300,1,0,0]'],
    ['no values', '[1,"verdict"]'],
    ['nesting', `[1,"verdict",${'['.repeat(5_000)}${']'.repeat(5_000)}]`],
  ])('does not believe a message of %s, and counts it', async (_what, message) => {
    await up();
    const told = jest.fn();
    link.verdicts.listen('payments', told);
    client.publish(CHANNEL, message);
    expect(refused).toHaveLength(1);
    expect(told).not.toHaveBeenCalled();
  });

  it.each([
    ['no array', 'OK'],
    ['texts', ['1', '2', '3']],
    ['a time that is none', [Number.NaN, 1, 0]],
    ['no instances', [1_000_000, 0, 0]],
  ])('does not take %s for the answer to a heartbeat', async (_what, answer) => {
    client.answer = () => answer;
    link.open();
    await pass(0);
    expect(changes).toEqual([[false, 'a heartbeat was not answered as Redis does']]);
    expect(refused).toEqual(['an answer to a heartbeat']);
  });
});
