/** From so many seconds on a number is a time of the wall clock rather than a delay, and then one in ms. */
const EPOCH_FROM_S = 1e9;
const EPOCH_FROM_MS = 1e11;

/** A quota, as an item of the header `RateLimit` has it. */
interface Quota {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, number>;
}

/**
 * When a quota that is used up begins anew, in ms from now, by what the headers of an answer say:
 *
 * - `RateLimit: "daily";r=0;t=30` (draft-ietf-httpapi-ratelimit-headers); where it has no `t`, the window
 *   that `RateLimit-Policy: "daily";q=100;w=60` tells. Of several quotas, the longest of those that are
 *   used up; where none is, the next;
 * - `RateLimit: limit=100, remaining=0, reset=30`, as earlier drafts had it;
 * - `RateLimit-Reset` or `X-RateLimit-Reset`: in seconds, or at a time of the wall clock.
 *
 * @param header a header's value, by its name in lower case
 */
export function resetMs(header: (name: string) => string | undefined): number | undefined {
  const quotas = quotasIn(header('ratelimit'));
  const windows = quotasIn(header('ratelimit-policy'));
  const seconds = resetOf(quotas, windows);
  if (seconds !== undefined) return seconds * 1_000;
  return delayMs(header('ratelimit-reset')) ?? delayMs(header('x-ratelimit-reset'));
}

/** Whether the headers say that nothing is left of a quota. */
export function isUsedUp(header: (name: string) => string | undefined): boolean {
  const quotas = quotasIn(header('ratelimit'));
  if (quotas.length > 0) return quotas.some(({ parameters }) => parameters.get('r') === 0);
  const left = header('ratelimit-remaining') ?? header('x-ratelimit-remaining');
  return left !== undefined && /^\s*0+\s*$/.test(left);
}

function resetOf(quotas: readonly Quota[], windows: readonly Quota[]): number | undefined {
  const resets = quotas.flatMap(({ name, parameters }) => {
    const window = windows.find((each) => each.name === name)?.parameters.get('w');
    const seconds = parameters.get('t') ?? window;
    return seconds === undefined ? [] : [{ isUsedUp: parameters.get('r') === 0, seconds }];
  });
  const usedUp = resets.filter((each) => each.isUsedUp).map(({ seconds }) => seconds);
  if (usedUp.length > 0) return Math.max(...usedUp);
  return resets.length > 0 ? Math.min(...resets.map(({ seconds }) => seconds)) : undefined;
}

/** The items of a list of structured fields, with their parameters that are numbers. */
function quotasIn(value: string | undefined): Quota[] {
  if (value === undefined) return [];
  const earlier = earlierForm(value);
  if (earlier !== undefined) return [earlier];
  return split(value, ',').map((item) => {
    const [name = '', ...parameters] = split(item, ';');
    return { name, parameters: new Map(parameters.flatMap(parameter)) };
  });
}

/** `limit=100, remaining=0, reset=30` */
function earlierForm(value: string): Quota | undefined {
  const members = new Map(split(value, ',').flatMap(parameter));
  const reset = members.get('reset');
  const left = members.get('remaining');
  if (reset === undefined) return undefined;
  const parameters = new Map([['t', reset]]);
  if (left !== undefined) parameters.set('r', left);
  return { name: '', parameters };
}

function parameter(text: string): [string, number][] {
  const [, key, number] = /^([a-z][a-z0-9_-]*)=(\d{1,15})$/.exec(text) ?? [];
  return key === undefined ? [] : [[key, Number(number)]];
}

/** Not in the middle of a text in quotes. */
function split(value: string, by: ',' | ';'): string[] {
  const parts = value.match(
    by === ',' ? /(?:"(?:[^"\\]|\\.)*"|[^,"])+/g : /(?:"(?:[^"\\]|\\.)*"|[^;"])+/g,
  );
  return (parts ?? []).map((part) => part.trim());
}

function delayMs(said: string | undefined): number | undefined {
  if (said === undefined || !/^\s*\d{1,15}(\.\d{1,9})?\s*$/.test(said)) return undefined;
  const number = Number(said);
  if (number >= EPOCH_FROM_MS) return number - Date.now();
  return number >= EPOCH_FROM_S ? number * 1_000 - Date.now() : number * 1_000;
}
