import {
  type Admission,
  type AttemptStage,
  type Permit,
  type Settlement,
  type StageAttempt,
  WAIT,
} from '../attempt/attempt-stage.js';
import { KeyedPermit } from '../attempt/keyed-permit.js';
import { now } from '../common/clock.js';
import type { Registered } from '../common/registry.js';
import { askKey } from '../stage/key.js';
import type { KeyFunction } from '../stage/keyed.options.js';
import type { NamedPolicy } from '../stage/named-instances.js';
import type { KeyedInstances } from './keyed-instances.js';
import type { Keyed } from './keyed-places.js';

type PermitOf<P> = KeyedPermit & { readonly holder: Keyed<P> };

/** What an operation goes through by key: for each attempt, one of the instances of a name. */
export class ByKey<P extends NamedPolicy> implements AttemptStage {
  readonly finished: AttemptStage['finished'];
  /** Of the attempt that was just told to wait. */
  private waiting: Keyed<P> | undefined = undefined;

  /**
   * @param holds whether the instances give something that is held until the work has ended
   * @param place of the key function, for messages
   */
  constructor(
    readonly instances: KeyedInstances<P>,
    private readonly key: KeyFunction,
    private readonly holds: boolean,
    private readonly place: string,
  ) {
    this.finished = holds ? this.finish : undefined;
  }

  /** The pattern of their names. */
  get name(): string {
    return this.instances.pattern;
  }

  /** Those in force. */
  get options(): object {
    const { options, keyed } = this.instances.parts;
    return { ...options, key: this.key, ...keyed };
  }

  get needsScope(): boolean {
    return this.instances.needsScope;
  }

  joined(): void {
    this.instances.joined();
  }

  admit(attempt: StageAttempt, at: number): Permit {
    const { instances, key, place } = this;
    const entry = instances.find(askKey(key, attempt, place), at, place);
    instances.enter(entry, at);
    let permit: Permit = WAIT;
    try {
      permit = (entry.policy as AttemptStage).admit(attempt, at);
    } finally {
      if (permit === WAIT) instances.exit(entry, at); // nothing, or not yet
    }
    if (permit === WAIT) {
      this.waiting = entry; // `wait()` follows before anything else can come
      return WAIT;
    }
    instances.judgeScope(entry);
    return new KeyedPermit(entry, permit);
  }

  wait(attempt: StageAttempt, admitted: (ask: () => Admission) => void): () => void {
    const { instances } = this;
    const entry = this.waiting as Keyed<P>;
    this.waiting = undefined;
    instances.enter(entry, entry.usedAt);
    let isAnswered = false;
    const unlessAnswered = () => {
      if (!isAnswered) instances.exit(entry, now()); // else it is asked for all the same
      isAnswered = true;
    };
    const answered = (ask: () => Admission) => {
      isAnswered = true;
      admitted(() => {
        let admission: Admission | undefined;
        try {
          admission = ask();
        } finally {
          if (admission === undefined || 'refusal' in admission) instances.exit(entry, now());
        }
        return 'refusal' in admission
          ? admission
          : { permit: new KeyedPermit(entry, admission.permit) };
      });
    };
    try {
      const leave = entry.policy.wait?.(attempt, answered);
      return () => {
        leave?.();
        unlessAnswered();
      };
    } catch (error) {
      unlessAnswered();
      throw error;
    }
  }

  confirm({ holder, permit }: PermitOf<P>, attempt: StageAttempt, at: number): void {
    holder.policy.confirm?.(permit, attempt, at);
  }

  settled(
    { holder, permit }: PermitOf<P>,
    attempt: StageAttempt,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void {
    try {
      holder.policy.settled?.(permit, attempt, how, error, at, result);
    } finally {
      if (this.holds) holder.usedAt = at;
      else this.instances.exit(holder, at);
    }
  }

  private finish({ holder, permit }: PermitOf<P>, attempt: StageAttempt, answered: boolean): void {
    try {
      holder.policy.finished?.(permit, attempt, answered);
    } finally {
      // What is in no scope settles at the same time, which is told then.
      this.instances.exit(holder, attempt.scope === undefined ? holder.usedAt : now());
    }
  }
}

/** What is registered of what an operation goes through. */
export function registeredOf<P extends NamedPolicy>(policy: P): Registered<P> {
  return policy instanceof ByKey ? (policy.instances as Registered<P>) : policy;
}
