import { recordOf } from '../common/remembered.js';

/** What one policy has learnt. */
export interface Learnt {
  /** The module's option in which it is named: `breakers`. */
  readonly section: string;
  readonly name: string;
  /** As JSON can hold it, with ages instead of times. */
  readonly state: unknown;
  /** How old that is, where it is of before a restart, and its policy has not come again since. */
  readonly ageMs: number;
}

const VERSION = 1;

/** In characters. */
export const MAX_LENGTH = 4_000_000;

/** What is older says nothing of today, and is forgotten. */
export const KEPT_MS = 86_400_000;

/** Around what one policy has learnt. */
const FRAME_LENGTH = 40;

/** As many of them, the first ones first, as there is room for. */
export function fitting(all: Iterable<Learnt>): Learnt[] {
  let left = MAX_LENGTH - 100;
  return [...all].filter(({ section, name, state }) => {
    left -= JSON.stringify([section, name, state]).length + FRAME_LENGTH;
    return left >= 0;
  });
}

/** The document `{ version, savedAt, policies: { breakers: { payments: { ageMs, state } } } }`. */
export function documentOf(all: readonly Learnt[], savedAt: number): string {
  const policies = new Map<string, [name: string, entry: object][]>();
  for (const { section, name, ageMs, state } of all) {
    const those = policies.get(section) ?? [];
    those.push([name, { ageMs, state }]);
    policies.set(section, those);
  }
  const sections = [...policies].map(([section, those]) => [section, Object.fromEntries(those)]);
  return JSON.stringify({ version: VERSION, savedAt, policies: Object.fromEntries(sections) });
}

/**
 * What a document tells, with its age by now: by the wall clock, since no other goes on across a restart.
 * Where that went backwards, no time has passed.
 *
 * @param loaded text, or what such text is parsed to
 * @throws Error where it is none of ours
 */
export function learntIn(loaded: unknown, at: number): Learnt[] {
  if (loaded === undefined || loaded === null || loaded === '') return [];
  const { version, savedAt, policies } = recordOf(parsed(loaded));
  if (version !== VERSION)
    throw new Error(
      `a document of version ${JSON.stringify(version)?.slice(0, 20)}, not ${VERSION}`,
    );
  if (!isCount(savedAt)) throw new Error('a document that does not say when it was saved');
  const agoMs = Math.max(0, at - savedAt);
  return Object.entries(recordOf(policies)).flatMap(([section, names]) =>
    Object.entries(recordOf(names)).flatMap(([name, entry]) => {
      const { ageMs, state } = recordOf(entry);
      return isCount(ageMs) && ageMs + agoMs < KEPT_MS
        ? [{ section, name, state, ageMs: ageMs + agoMs }]
        : [];
    }),
  );
}

/** What a store gives parsed may be anything: as text it is plain, and its size is known. */
function parsed(loaded: unknown): unknown {
  const text =
    typeof loaded === 'string'
      ? loaded
      : loaded instanceof Uint8Array
        ? new TextDecoder().decode(loaded)
        : (JSON.stringify(loaded) ?? '');
  if (text.length > MAX_LENGTH)
    throw new Error(`a document of ${text.length} characters, more than ${MAX_LENGTH}`);
  const value = asJson(text);
  try {
    JSON.stringify(value); // as it will be saved again
  } catch {
    throw new Error('a document that is nested too deep');
  }
  return value;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('a document that is no JSON');
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Whether nothing has happened but time: all is the same, but for ages, and what is left of waits. */
export function isOnlyOlder(before: unknown, after: unknown, elapsedMs: number): boolean {
  if (Object.is(before, after)) return true;
  if (typeof before === 'number' && typeof after === 'number')
    return Math.abs(Math.abs(after - before) - elapsedMs) <= 2; // they are rounded
  if (typeof before !== 'object' || typeof after !== 'object') return false;
  if (before === null || after === null) return false;
  const keys = Object.keys(before);
  return (
    keys.length === Object.keys(after).length &&
    keys.every((key) => isOnlyOlder(fieldOf(before, key), fieldOf(after, key), elapsedMs))
  );
}

function fieldOf(object: object, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key as keyof object] : NaN;
}
