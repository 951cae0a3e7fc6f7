import type { ResilienceOverrides } from './advice.js';

/** All of them together; they say different things of different places. */
export function mergeOverrides(all: readonly ResilienceOverrides[]): ResilienceOverrides {
  return all.reduce<ResilienceOverrides>((merged, each) => mergeDeep(merged, each), {});
}

function mergeDeep<T extends object>(below: T, above: object): T {
  const merged = { ...below } as Record<string, unknown>;
  for (const [key, value] of Object.entries(above)) {
    const known = merged[key];
    merged[key] = isObject(known) && isObject(value) ? mergeDeep(known, value) : value;
  }
  return merged as T;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
