import { isDeepStrictEqual } from 'node:util';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { ORDER_LIMITS } from '../fleet/shared-register.js';
import type { SaidObject, SaidOverrides } from './override-rules.js';

/** The kind of the orders by which the instances of a fleet are told overrides. */
export const SETTINGS = 'settings';

/** What a selector says, of which all instances are told: `null` where it says nothing any more. */
export interface FleetSetting {
  /** `operations.PaymentsClient.charge`, `breakers.payments`, `all`, `mode`. */
  readonly name: string;
  readonly value: unknown;
}

/** What is said of everything, without names. */
const UNNAMED = ['enabled', 'mode', 'all'];

/**
 * The orders for what was just said: of each selector the whole of what is said of it at run time.
 *
 * @param merged what is said at run time from now on, and `before` what was
 * @throws ResilienceConfigurationError where it is too large, or cannot be told in JSON
 */
export function settingsOf(
  place: string,
  news: SaidOverrides,
  before: SaidOverrides,
  merged: SaidOverrides,
): FleetSetting[] {
  return Object.entries(news).flatMap(([key, said]) => {
    if (UNNAMED.includes(key)) return [setting(place, key, merged[key])];
    const names = Object.keys((said ?? before[key] ?? {}) as SaidObject);
    const left = (merged[key] ?? {}) as SaidObject;
    return names.map((name) => setting(place, `${key}.${name}`, left[name]));
  });
}

/** What an order says, as overrides. */
export function overridesOf({ name, value }: FleetSetting): SaidOverrides {
  const dot = name.indexOf('.');
  return dot === -1
    ? { [name]: value }
    : { [name.slice(0, dot)]: { [name.slice(dot + 1)]: value } };
}

function setting(place: string, name: string, value: unknown = null): FleetSetting {
  const at = `${place}.${name}`;
  const text = JSON.stringify(value);
  if (!isDeepStrictEqual(JSON.parse(text), value))
    throw new ResilienceConfigurationError(
      at,
      'has what cannot be told to other instances, such as a function; allowed: what JSON can hold',
    );
  const { subjectLength, valueLength } = ORDER_LIMITS;
  const subject = `${SETTINGS}/${name}`.length;
  if (text.length > valueLength || subject > subjectLength)
    throw new ResilienceConfigurationError(
      at,
      `is ${text.length} characters of JSON, by a name of ${subject}; allowed for the fleet: at most ${valueLength}, by a name of ${subjectLength}`,
    );
  return { name, value };
}
