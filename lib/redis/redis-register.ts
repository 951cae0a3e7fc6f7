import {
  type KnownOrder,
  ORDER_LIMITS,
  type Order,
  type RegisterListener,
  type SharedRegister,
} from '../index.js';
import type { Script, Store } from './store.js';

/** The name of an instance, which goes into logs. */
const BY = /^[^\p{Cc}]{1,300}$/u;
/** So many values say what an order is. */
const PARTS = 5;

/**
 * KEYS: the last order of each subject (a hash of `generation \n by \n value`).
 * ARGV: 2 the channel, and of each order that an instance knows: subject, generation (0 where it has none yet),
 * the one it comes after, age in ms, by, value as JSON.
 * Returns Redis' time, and of each order: subject, generation, age, by, value.
 */
const EXCHANGE: Script = {
  name: 'exchange',
  lua: `
if redis.call('HLEN', KEYS[1]) > ${ORDER_LIMITS.subjects} then return {-2} end
local known, count, stands = {}, 0, false
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local generation, by, value = string.match(all[i + 1], '^(%d+)\\n([^\\n]*)\\n(.*)$')
  generation = tonumber(generation or 0)
  -- What no instance has written is refused by who reads it, and gives way to the next order.
  if generation > tooLate then generation = 0 end
  if value and #value > ${4 * ORDER_LIMITS.valueLength} then value = nil end
  if value == 'null' and generation + ${ORDER_LIMITS.takenBackMs} < now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    known[all[i]] = {generation, by or '', value or ''}
    count = count + 1
  end
end
local hadNone = count == 0
for i = 3, #ARGV, 6 do
  local subject, generation, by, value = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 4], ARGV[i + 5]
  local record = known[subject]
  local before = record and record[1] or 0
  if generation == 0 then
    local age = tonumber(ARGV[i + 3])
    generation = math.max(tonumber(ARGV[i + 2]) + 1, now - age)
    if age == 0 then generation = math.max(generation, before + 1) end
  end
  local isOver = value == 'null' and generation + ${ORDER_LIMITS.takenBackMs} < now
  if generation > before and (record or (not isOver and count < ${ORDER_LIMITS.subjects})) then
    known[subject] = {generation, by, value}
    if not record then count = count + 1 end
    redis.call('HSET', KEYS[1], subject, string.format('%.0f\\n%s\\n%s', generation, by, value))
    redis.call('PUBLISH', ARGV[2],
      cjson.encode({1, 'order', subject, generation, math.max(0, now - generation), by, value}))
  end
end
if hadNone then redis.call('PUBLISH', ARGV[2], cjson.encode({1, 'orders-lost'})) end
local answer = {now}
for subject, record in pairs(known) do
  local generation, by, value = record[1], record[2], record[3]
  stands = stands or value ~= 'null'
  for _, part in ipairs({subject, generation, math.max(0, now - generation), by, value}) do
    answer[#answer + 1] = part
  end
end
if stands then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ${ORDER_LIMITS.takenBackMs}) end
return answer
`,
};

/** The last order of each subject, in one hash of the namespace. */
export class RedisRegister implements SharedRegister {
  constructor(private readonly store: Store) {}

  listen({ ordered, lost }: RegisterListener): void {
    const { store } = this;
    store.listen('order', (values) => {
      const order = this.orderOf(values);
      if (order === undefined) store.refused('a message about an order');
      else ordered(order);
    });
    store.listen('orders-lost', lost);
  }

  async exchange(orders: readonly KnownOrder[]): Promise<readonly Order[] | undefined> {
    const { store } = this;
    const answer = await store.read(
      EXCHANGE,
      [store.key('orders', '', 'last')],
      [store.channel, ...orders.flatMap(toldOf)],
    );
    if (answer === undefined) return undefined;
    if (!this.isAnswer(answer)) {
      store.refused('an answer about orders');
      return undefined;
    }
    const found: Order[] = [];
    for (let at = 1; at < answer.length; at += PARTS) {
      const order = this.orderOf(answer.slice(at, at + PARTS));
      if (order === undefined) store.refused('an order');
      else found.push(order);
    }
    return found;
  }

  /** One of another form was too late, or the hash has more in it than instances write. */
  private isAnswer(answer: unknown): answer is unknown[] {
    return (
      Array.isArray(answer) &&
      this.store.isTime(answer[0]) &&
      (answer.length - 1) % PARTS === 0 &&
      answer.length <= 1 + ORDER_LIMITS.subjects * PARTS
    );
  }

  /** What the parts say; nothing where no instance has written them. */
  private orderOf(parts: readonly unknown[]): Order | undefined {
    const [subject, generation, ageMs, by, json] = parts;
    if (!isText(subject, ORDER_LIMITS.subjectLength) || typeof by !== 'string') return undefined;
    if (!BY.test(by)) return undefined;
    const { store } = this;
    if (!store.isTime(generation) || generation === 0 || !store.isTime(ageMs)) return undefined;
    if (!isText(json, ORDER_LIMITS.valueLength)) return undefined;
    try {
      return { subject, generation, ageMs, by, value: JSON.parse(json) as unknown };
    } catch {
      return undefined;
    }
  }
}

function toldOf({ subject, generation, after, ageMs, by, value }: KnownOrder) {
  return [subject, generation, after, ageMs, by, JSON.stringify(value)];
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxLength;
}
