import { isObject } from '../common/options.js';
import type { ResilienceOverrides } from '../overrides/overrides.js';

/** Both together; of what both say, what is above. */
export function mergeOverrides(
  below: ResilienceOverrides,
  above: ResilienceOverrides,
): ResilienceOverrides {
  return mergeDeep(below, above);
}

function mergeDeep<T extends object>(below: T, above: object): T {
  const merged = { ...below } as Record<string, unknown>;
  for (const [key, value] of Object.entries(above)) {
    const known = merged[key];
    merged[key] = isObject(known) && isObject(value) ? mergeDeep(known, value) : value;
  }
  return merged as T;
}
