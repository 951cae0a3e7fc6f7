import { describe, expect, it } from '@jest/globals';
import { RecentEvents } from '../../lib/admin/recent-events.js';
import { describeError, type ResilienceEvent } from '../../lib/index.js';

const recent = () => new RecentEvents({ describe: describeError });
const event = (type: string, more: object = {}) =>
  ({ type, timestamp: '2026-01-01T00:00:00.000Z', ...more }) as ResilienceEvent;
const typesIn = (found: { events: { type: string }[] } | undefined) =>
  found?.events.map(({ type }) => type);

describe('The latest events', () => {
  it('are those since a cursor, in the order in which they came', () => {
    const events = recent();
    events.add(event('retry'));
    const { next = null } = events.since(null) ?? {};
    for (const type of ['timeout', 'retry', 'fallback']) events.add(event(type));
    expect(typesIn(events.since(next))).toEqual(['timeout', 'retry', 'fallback']);
    expect(typesIn(events.since(null))).toEqual(['retry', 'timeout', 'retry', 'fallback']);
  });

  it('keep what opened a breaker in a flood of rejections, and say that some are missed', () => {
    const events = recent();
    const { next = null } = events.since(null) ?? {};
    events.add(event('circuit-state'));
    for (let n = 0; n < 1_000; n++) events.add(event('circuit-rejected'));
    const found = events.since(next);
    expect(found?.events).toHaveLength(201);
    expect([typesIn(found)?.[0], found?.missed]).toEqual(['circuit-state', true]);
    expect(events.since(found?.next ?? null)).toMatchObject({ events: [], missed: false });
    expect(events.since(null)?.missed).toBe(false);
  });

  it('are bounded however many types there are', () => {
    const events = recent();
    for (let n = 0; n < 200; n++) events.add(event(`own-${n}`));
    expect(events.since(null)?.events).toHaveLength(100);
  });

  it('are told by another instance from its first one, which says that some are missed', () => {
    const [one, other] = [recent(), recent()];
    one.add(event('retry'));
    other.add(event('timeout'));
    const found = other.since(one.since(null)?.next ?? null);
    expect([typesIn(found), found?.missed]).toEqual([['timeout'], true]);
    const ahead = one.since(null)?.next.replace(/-1$/, '-7') ?? null;
    expect(one.since(ahead)).toMatchObject({ missed: true });
  });

  it.each(['', 'x', '0badbeef', '0badbeef-', '0badbeef-1-2', '0badbeef--1'])(
    'know no cursor such as "%s"',
    (cursor) => {
      expect(recent().since(cursor)).toBeUndefined();
    },
  );

  it('hold whatever stages report as JSON', () => {
    const events = recent();
    const endless: Record<string, unknown> = { size: 10n, at: new Date(0), apiKey: 'sk-1' };
    endless.self = endless;
    events.add(event('own', { endless, error: new Error('down'), other: new TypeError('no') }));
    expect(JSON.parse(JSON.stringify(events.since(null)?.events[0]))).toMatchObject({
      endless: { size: '10n', at: '1970-01-01T00:00:00.000Z', self: '[circular]' },
      error: { type: 'Error', message: 'down' },
      other: { type: 'TypeError', message: 'no' },
    });
    expect(JSON.stringify(events.since(null))).not.toContain('sk-1');
  });
});
