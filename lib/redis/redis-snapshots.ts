import type { SharedSnapshots, ShownSnapshot } from '../index.js';
import type { Script, Store } from './store.js';

/** All are asked once in this time, in ms, however many look. */
const ASKED_MS = 1_900;
/** What was shown is there for so long, in ms. */
const KEPT_MS = 30_000;
const MAX_INSTANCES = 200;
/** More than that has not come from a fleet. */
const MAX_FIELDS = 2_000;
const MAX_NAME_LENGTH = 300;
const MAX_LENGTH = 65_536;
const PARTS = 3;

/**
 * KEYS: what was shown, by instance (a hash of `time \n snapshot`). ARGV: 2 instance, 3 snapshot as JSON.
 */
const SHOW: Script = {
  name: 'show',
  lua: `
if redis.call('HLEN', KEYS[1]) > ${MAX_FIELDS} then return {0} end
redis.call('HSET', KEYS[1], ARGV[2], now .. '\\n' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ${KEPT_MS})
return {1}
`,
};

/** KEYS as above. ARGV: 2 instance. */
const REMOVE: Script = {
  name: 'remove',
  lua: `return {redis.call('HDEL', KEYS[1], ARGV[2])}`,
};

/**
 * KEYS: what was shown, that all have been asked. ARGV: 2 the channel.
 * Returns Redis' time, and of each instance: its name, how long ago it has shown itself, what.
 */
const LOOK: Script = {
  name: 'look',
  lua: `
if redis.call('SET', KEYS[2], '1', 'PX', ${ASKED_MS}, 'NX') then
  redis.call('PUBLISH', ARGV[2], cjson.encode({1, 'look'}))
end
if redis.call('HLEN', KEYS[1]) > ${MAX_FIELDS} then return {-2} end
local answer, count = {now}, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, snapshot = string.match(all[i + 1], '^(%d+)\\n(.*)$')
  local age = now - tonumber(at or 0)
  if age > ${KEPT_MS} then
    redis.call('HDEL', KEYS[1], all[i])
  elseif count < ${MAX_INSTANCES} and #snapshot <= ${4 * MAX_LENGTH} then
    count = count + 1
    for _, part in ipairs({all[i], math.max(0, age), snapshot}) do answer[#answer + 1] = part end
  end
end
return answer
`,
};

/** What the instances of a namespace show, in one hash. */
export class RedisSnapshots implements SharedSnapshots {
  constructor(private readonly store: Store) {}

  listen(asked: () => void): void {
    this.store.listen('look', asked);
  }

  async show(snapshot: object): Promise<void> {
    await this.store.run(SHOW, this.keys('shown'), [this.store.instance, JSON.stringify(snapshot)]);
  }

  async remove(): Promise<void> {
    await this.store.run(REMOVE, this.keys('shown'), [this.store.instance]);
  }

  async look(): Promise<readonly ShownSnapshot[] | undefined> {
    const { store } = this;
    const answer = await store.read(LOOK, this.keys('shown', 'asked'), [store.channel]);
    if (answer === undefined) return undefined;
    if (!Array.isArray(answer) || !(answer[0] >= 0) || (answer.length - 1) % PARTS !== 0) {
      store.refused('an answer about instances');
      return undefined;
    }
    const shown: ShownSnapshot[] = [];
    for (let at = 1; at < answer.length; at += PARTS) {
      const one = shownBy(answer.slice(at, at + PARTS));
      if (one === undefined) store.refused('what an instance shows');
      else shown.push(one);
    }
    return shown;
  }

  private keys(...parts: string[]): string[] {
    return parts.map((part) => this.store.key('snapshots', '', part));
  }
}

function shownBy([instance, ageMs, json]: readonly unknown[]): ShownSnapshot | undefined {
  if (typeof instance !== 'string' || instance.length > MAX_NAME_LENGTH) return undefined;
  if (typeof ageMs !== 'number' || typeof json !== 'string' || json.length > MAX_LENGTH)
    return undefined;
  try {
    return { instance, ageMs, snapshot: JSON.parse(json) as unknown };
  } catch {
    return undefined;
  }
}
