import type { HealthLevel, InstanceView, StageInstances } from '../common/stage-instances.js';

/** A policy of an instance of the fleet. */
export interface FleetPolicy {
  /** The module's option in which it is named: `breakers`. */
  readonly section: string;
  /** The name by which it is registered. */
  readonly name: string;
  /** In a word: the state of a breaker, `3 of 10` of a bulkhead. */
  readonly state: string;
  /** How it is, for health checks. */
  readonly status: HealthLevel;
}

/** What an instance tells of itself. */
export interface InstanceSnapshot {
  /** The release of the application, where it says one. */
  readonly version?: string;
  /** The release of this library. */
  readonly library: string;
  /** Since it has started. */
  readonly upMs: number;
  /** Whether faults are injected on purpose. */
  readonly chaos: boolean;
  /** Of those by key all together, and the worst. */
  readonly policies: readonly FleetPolicy[];
}

const MAX_POLICIES = 500;
const MAX_NAME_LENGTH = 300;
const MAX_WORD_LENGTH = 100;
/** In characters of JSON: a store takes 65,536, of which the form around the policies needs a little. */
const MAX_POLICIES_LENGTH = 60_000;
const LEVELS: readonly HealthLevel[] = ['up', 'degraded', 'down'];

/** The policies of an application, those that are not well first; as many as others believe. */
export function policiesOf(stages: readonly StageInstances[]): FleetPolicy[] {
  const all = stages.flatMap(({ section, instances }) =>
    instances.flatMap((view) => policyOf(section, view)),
  );
  const severity = ({ status }: FleetPolicy) => LEVELS.indexOf(status);
  let length = 0;
  return all
    .filter(isBelieved)
    .sort((one, other) => severity(other) - severity(one))
    .slice(0, MAX_POLICIES)
    .filter((policy) => {
      length += JSON.stringify(policy).length + 1;
      return length <= MAX_POLICIES_LENGTH;
    });
}

/** Of something else that a test has put in the place of a policy there may be nothing to tell. */
function policyOf(section: string, { name, snapshot, health }: InstanceView): FleetPolicy[] {
  try {
    const { status } = health();
    return [{ section, name, state: inAWord(snapshot(), status), status }];
  } catch {
    return [];
  }
}

/** What another instance has shown; nothing where that is of another form. */
export function snapshotFrom(shown: unknown): InstanceSnapshot | undefined {
  const { version, library, upMs, chaos, policies } = (shown ?? {}) as Partial<InstanceSnapshot>;
  if (version !== undefined && !isText(version, MAX_WORD_LENGTH)) return undefined;
  if (!isText(library, MAX_WORD_LENGTH) || typeof chaos !== 'boolean') return undefined;
  if (typeof upMs !== 'number' || !(upMs >= 0 && upMs < Number.MAX_SAFE_INTEGER)) return undefined;
  if (!Array.isArray(policies) || policies.length > MAX_POLICIES) return undefined;
  if (!policies.every(isBelieved)) return undefined;
  const plain = policies.map(({ section, name, state, status }) => ({
    section,
    name,
    state,
    status,
  }));
  return { ...(version !== undefined && { version }), library, upMs, chaos, policies: plain };
}

function isBelieved(policy: unknown): policy is FleetPolicy {
  const { section, name, state, status } = (policy ?? {}) as Partial<FleetPolicy>;
  return (
    isText(section, MAX_WORD_LENGTH) &&
    isText(name, MAX_NAME_LENGTH) &&
    isText(state, MAX_WORD_LENGTH) &&
    LEVELS.includes(status as HealthLevel)
  );
}

/** How it stands, by what its snapshot has; of stages of an application's own no more than how well. */
function inAWord(snapshot: object, status: HealthLevel): string {
  const { state, running, maxConcurrent, available, limit } = snapshot as Record<string, unknown>;
  if (typeof state === 'string') return state;
  if (isNumber(running) && isNumber(maxConcurrent)) return `${running} of ${maxConcurrent}`;
  if (isNumber(available) && isNumber(limit)) return `${Math.floor(available)} of ${limit} left`;
  return status;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxLength;
}
