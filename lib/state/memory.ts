import { Alarm } from '../common/alarm.js';
import { now, Since, wallNow } from '../common/clock.js';
import { merge } from '../common/options.js';
import { type StateOptions, sayingOf } from './state.options.js';
import {
  documentOf,
  fitting,
  isOnlyOlder,
  KEPT_MS,
  type Learnt,
  learntIn,
} from './state-document.js';

const DEFAULTS = { intervalMs: 10_000, timeoutMs: 1_000 } as Required<StateOptions>;

/** Something of before a restart, whose policy has not come yet. */
interface Waiting extends Learnt {
  readonly since: Since;
}

/**
 * What an application's policies have learnt, across restarts. Whatever the store does, the application
 * starts, and no call notices: a failure is told once.
 *
 * What is of policies that are not there waits for them: those by key and those of pipelines come when they
 * are needed. Meanwhile it is saved along, until it is a day old.
 */
export class Memory {
  private readonly options: Required<StateOptions>;
  private readonly waiting = new Map<string, Waiting>();
  private readonly warnOfLoad: (error: unknown) => void;
  private readonly warnOfSave: (error: unknown) => void;
  private readonly alarm = new Alarm(() => void this.saveAndGoOn());
  private learnt: () => Iterable<Learnt> = () => [];
  private saving: Promise<void> = Promise.resolve();
  /** What is in the store, and since when; `undefined` where that is not of now, though there is nothing new. */
  private saved: readonly Learnt[] | undefined = undefined;
  private savedAt = now();
  private isEnded = false;

  constructor(options: StateOptions, warnOf: (what: string) => (error: unknown) => void) {
    this.options = merge<Required<StateOptions>>(
      DEFAULTS,
      sayingOf(options) as Required<StateOptions>,
    );
    this.warnOfLoad = warnOf('state.load()');
    this.warnOfSave = warnOf('state.save()');
    this.alarm.letProcessEnd();
  }

  /** Resolves when it is known what was before, or when that takes too long: what comes later is left out. */
  async load(): Promise<void> {
    const { load, timeoutMs } = this.options;
    try {
      const loaded = await within(timeoutMs, async () => load());
      const since = new Since(now());
      for (const each of learntIn(loaded, wallNow()))
        this.waiting.set(idOf(each), { ...each, since });
      if (this.waiting.size === 0) this.saved = [];
    } catch (error) {
      this.warnOfLoad(error);
    }
  }

  /** Tells a policy what it had learnt, once. */
  recall(section: string, name: string, recall: (state: unknown, agoMs: number) => void): void {
    const id = idOf({ section, name });
    const found = this.waiting.get(id);
    if (found === undefined) return;
    this.waiting.delete(id);
    try {
      recall(found.state, ageOf(found));
    } catch (error) {
      this.warnOfLoad(error);
    }
  }

  /**
   * From now on it is saved, as often as something has changed.
   *
   * @param learnt what there is, the most important first
   */
  begin(learnt: () => Iterable<Learnt>): void {
    this.learnt = learnt;
    this.alarm.set(this.options.intervalMs);
  }

  /** Resolves when what is known now has been saved, or cannot be, or takes too long. */
  async save(): Promise<void> {
    const { timeoutMs } = this.options;
    await within(timeoutMs, () => this.inTurn(timeoutMs)).catch(this.warnOfSave);
  }

  /** The application has ended. */
  async end(): Promise<void> {
    this.isEnded = true;
    this.alarm.stop();
    await this.save();
  }

  private async saveAndGoOn(): Promise<void> {
    const { intervalMs, timeoutMs } = this.options;
    await this.inTurn(Math.max(intervalMs, timeoutMs));
    if (!this.isEnded) this.alarm.set(intervalMs);
  }

  /** One after the other, so that the last document is the one that is kept. */
  private inTurn(withinMs: number): Promise<void> {
    this.saving = this.saving.then(() => this.saveChanged(withinMs));
    return this.saving;
  }

  private async saveChanged(withinMs: number): Promise<void> {
    try {
      const known = [...this.learnt(), ...this.stillWaiting()];
      const learnt = fitting(known);
      if (learnt.length < known.length)
        this.warnOfSave(new Error(`${known.length - learnt.length} policies have no room in it`));
      const at = now();
      if (isOnlyOlder(this.saved, learnt, at - this.savedAt)) return;
      const document = documentOf(learnt, wallNow());
      await within(withinMs, async () => this.options.save(document), false);
      this.saved = learnt;
      this.savedAt = at;
    } catch (error) {
      this.warnOfSave(error);
    }
  }

  private *stillWaiting(): Generator<Learnt> {
    for (const [id, each] of this.waiting) {
      const { section, name, state } = each;
      const ageMs = Math.round(ageOf(each));
      if (ageMs < KEPT_MS) yield { section, name, state, ageMs };
      else this.waiting.delete(id);
    }
  }
}

function ageOf({ ageMs, since }: Waiting): number {
  return ageMs + since.elapsedMs(now());
}

function idOf({ section, name }: Pick<Learnt, 'section' | 'name'>): string {
  return JSON.stringify([section, name]);
}

/** @throws Error where it takes longer; what it comes to then is nobody's any more */
function within<T>(timeoutMs: number, work: () => Promise<T>, keepsProcess = true): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const alarm = new Alarm(() => reject(new Error(`no answer within ${timeoutMs} ms`)));
    if (!keepsProcess) alarm.letProcessEnd();
    alarm.set(timeoutMs);
    work()
      .then(resolve, reject)
      .finally(() => alarm.stop());
  });
}
