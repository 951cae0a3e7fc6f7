import { describe, expect, it } from '@jest/globals';
import { ADMITTED, type Admitted, hooksOf } from '../../lib/attempt/hooks.js';
import { type AttemptStage, WAIT } from '../../lib/index.js';

/** An attempt that no stage has been asked about. */
const attempt = (): Admitted => ({
  operation: 'operation',
  attempt: 1,
  self: undefined,
  args: [],
  startedAt: 0,
  ran: false,
  begun: false,
  scope: undefined,
  timed: undefined,
  admitted: 0,
  permit0: undefined,
  permit1: undefined,
  permit2: undefined,
  permit3: undefined,
  morePermits: undefined,
});

/** Stages that note what they are asked and told, each with its place. */
function stages(count: number, own: Partial<Record<number, Partial<AttemptStage>>> = {}) {
  const log: string[] = [];
  const all = Array.from({ length: count }, (_, place): AttemptStage => {
    const { admit, settled, finished, confirm, ...rest } = own[place] ?? {};
    return {
      ...rest,
      admit(...args) {
        log.push(`admit ${place}`);
        return admit === undefined ? `permit ${place}` : admit(...args);
      },
      confirm(permit, ...args) {
        log.push(`confirm ${place} ${permit}`);
        confirm?.(permit, ...args);
      },
      settled(permit, which, how, error, at) {
        log.push(`settled ${place} ${permit} ${how} ${error} ${at}`);
        settled?.(permit, which, how, error, at);
      },
      finished(permit, which, answered) {
        log.push(`finished ${place} ${permit} ${answered}`);
        finished?.(permit, which, answered);
      },
    };
  });
  return { log, all, hooks: hooksOf(all) };
}

const places = (count: number) => Array.from({ length: count }, (_, place) => place);
const inwards = (count: number, what: (place: number) => string) => places(count).map(what);
const outwards = (count: number, what: (place: number) => string) =>
  places(count).reverse().map(what);

describe.each([1, 2, 3, 4, 5, 6])('The hooks of %d stages', (count) => {
  it('let an attempt in from the outermost, and tell of its end from the innermost', () => {
    const { log, hooks, all } = stages(count);
    const it = attempt();
    expect(hooks.admit(it, 7)).toBe(ADMITTED);
    expect(it.admitted).toBe(count);
    all.forEach((stage, place) => {
      expect(hooks.permitOf(stage, it)).toBe(`permit ${place}`);
    });
    expect(hooks.permitOf({}, it)).toBeUndefined();
    hooks.settle(it, 'success', undefined, 8);
    hooks.finish(it, true);
    hooks.confirm(it, 9);
    expect(log).toEqual([
      ...inwards(count, (place) => `admit ${place}`),
      ...outwards(count, (place) => `settled ${place} permit ${place} success undefined 8`),
      ...outwards(count, (place) => `finished ${place} permit ${place} true`),
      ...inwards(count, (place) => `confirm ${place} permit ${place}`),
    ]);
  });

  it.each(places(count))('tell only those in front of one that refuses, at place %d', (place) => {
    const refusal = new Error('refused');
    const { log, hooks } = stages(count, {
      [place]: {
        admit() {
          throw refusal;
        },
      },
    });
    const it = attempt();
    expect(() => hooks.admit(it, 7)).toThrow(refusal);
    expect(it.admitted).toBe(place);
    log.length = 0;
    hooks.settle(it, 'failure', 'refusal', 8);
    hooks.finish(it, false);
    expect(log).toEqual([
      ...outwards(place, (each) => `settled ${each} permit ${each} failure refusal 8`),
      ...outwards(place, (each) => `finished ${each} permit ${each} false`),
    ]);
  });

  it.each(places(count))(
    'stop at one that lets the attempt wait, and go on behind it, at place %d',
    (place) => {
      const { log, hooks, all } = stages(count, { [place]: { admit: () => WAIT } });
      const it = attempt();
      expect(hooks.admit(it, 7)).toBe(place);
      expect(it.admitted).toBe(place);
      expect(hooks.permitOf(all[place] as AttemptStage, it)).toBeUndefined();
      hooks.grant(place, it, 'later');
      expect(hooks.admitFrom(place + 1, it, 8)).toBe(ADMITTED);
      expect(it.admitted).toBe(count);
      expect(hooks.permitOf(all[place] as AttemptStage, it)).toBe('later');
      expect(log).toEqual(inwards(count, (each) => `admit ${each}`));
    },
  );

  it.each(places(count))(
    'tell all others where one throws at the end, and throw that, at place %d',
    (place) => {
      const broken = new Error('broken');
      const { log, hooks } = stages(count, {
        [place]: {
          settled() {
            throw broken;
          },
        },
      });
      for (const how of ['success', 'failure', 'cut', 'nothing'] as const) {
        const it = attempt();
        hooks.admit(it, 7);
        log.length = 0;
        expect(() => hooks.settle(it, how, undefined, 8)).toThrow(broken);
        expect(log).toHaveLength(count);
      }
    },
  );

  it('need a scope where one of the stages does, and hold something where one is told when work has ended', () => {
    expect(stages(count).hooks.needScope).toBe(false);
    for (const place of places(count))
      expect(stages(count, { [place]: { needsScope: true } }).hooks.needScope).toBe(true);
    expect(stages(count).hooks.hold).toBe(true);
    expect(hooksOf(places(count).map(() => ({ admit: () => 1 }))).hold).toBe(false);
  });
});

it('Hooks leave out what a stage does not care for', () => {
  for (const count of [0, 1, 2, 3, 4]) {
    const hooks = hooksOf(places(count).map(() => ({ admit: () => 'permit' })));
    const it = attempt();
    hooks.admit(it, 0);
    hooks.confirm(it, 0);
    hooks.settle(it, 'success', undefined, 0);
    hooks.finish(it, true);
    expect(it.admitted).toBe(count);
    expect([hooks.needScope, hooks.hold]).toEqual([false, false]);
  }
});
