import type { FleetMember } from '../index.js';
import { Keys } from './keys.js';
import { readMessage } from './messages.js';
import { RedisClock } from './redis-clock.js';
import { TOO_FAR_MS } from './scripts.js';
import type { Outcome, Session } from './session.js';
import type { Script, Store } from './store.js';
import { isWhole } from './told.js';

/** What boards keep what they share by, in whichever session there is. */
export class RedisStore implements Store {
  readonly clock = new RedisClock();
  readonly instance: string;
  readonly channel: string;
  readonly ownChannel: string;
  /** Of when each instance will be gone. */
  readonly presence: string;
  /** Where Redis is reached: told of questions that were not answered. */
  session: { readonly questions: Session; doubt(): void } | undefined;
  private readonly keys: Keys;
  private readonly listeners = new Map<string, (values: readonly unknown[]) => void>();

  constructor(
    private readonly member: FleetMember,
    namespace: string,
    database: number,
    private readonly timeoutMs: number,
  ) {
    this.instance = member.instance;
    this.keys = new Keys(namespace);
    this.channel = this.keys.channel(database);
    this.ownChannel = this.keys.channelOf(member.instance, database);
    this.presence = this.key('instances', '', 'gone');
  }

  key(kind: string, name: string, part: string): string {
    return this.keys.of(kind, name, part);
  }

  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<readonly number[] | undefined> {
    const answer = await this.read(script, keys, args);
    if (answer === undefined) return undefined;
    if (Array.isArray(answer) && answer.every((each) => Number.isSafeInteger(each))) return answer;
    this.refused(`an answer to ${script.name}`);
    return undefined;
  }

  async read(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { session } = this;
    if (session === undefined) return undefined;
    const notAfter = this.clock.now(performance.now()) + 2 * this.timeoutMs;
    const outcome = await session.questions.ask(script, keys, args.map(String), notAfter);
    if ('answer' in outcome && !isTooLate(outcome)) return outcome.answer;
    this.member.unanswered();
    session.doubt();
    return undefined;
  }

  listen(kind: string, told: (values: readonly unknown[]) => void): void {
    this.listeners.set(kind, told);
  }

  /** A message of the fleet's channel, by whomever. */
  told(text: unknown): void {
    const message = readMessage(text);
    const told = typeof message === 'string' ? undefined : this.listeners.get(message.kind);
    if (typeof message === 'string') this.refused(message);
    else if (told === undefined) this.refused('a message of a kind that is not known');
    else
      try {
        told(message.values);
      } catch {
        this.refused(`a message of the kind ${message.kind}`); // whatever it was, the process goes on
      }
  }

  isTime(value: unknown): value is number {
    return isWhole(value, this.clock.now(performance.now()) + TOO_FAR_MS);
  }

  refused(what: string): void {
    this.member.refused(what);
  }
}

/** The script's prologue has found that it has come too late. */
function isTooLate({ answer }: Extract<Outcome, { answer: unknown }>): boolean {
  return Array.isArray(answer) && answer[0] === -1;
}
