/**
 * The word that was probably meant: the one that differs in its number (`retry`, `retries`) or is spelt almost
 * alike, or the only one that contains it or is part of it (`circuitBreakers`, `breakers`).
 */
export function closest(word: string, words: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted.length > 60) return undefined;
  const stem = singular(wanted);
  const sameStem = words.find((each) => singular(each.toLowerCase()) === stem);
  if (sameStem !== undefined) return sameStem;
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  const ranked = words
    .map((each) => ({ each, edits: editsBetween(wanted, each.toLowerCase()) }))
    .filter(({ edits }) => edits <= allowed && edits < wanted.length)
    .sort((one, other) => one.edits - other.edits);
  if (ranked[0] !== undefined) return ranked[0].each;
  const related = words.filter((each) => {
    const other = singular(each.toLowerCase());
    const isPart = stem.length >= MIN_PART && other.includes(stem);
    return isPart || (other.length >= MIN_PART && stem.includes(other));
  });
  return related.length === 1 ? related[0] : undefined;
}

/** Shorter words are part of many others by chance. */
const MIN_PART = 4;

function singular(word: string): string {
  return word.replace(/ies$/, 'y').replace(/s$/, '');
}

/** Letters that were inserted, left out, replaced or swapped with their neighbour (Damerau, 1964). */
function editsBetween(one: string, other: string): number {
  let [before, row] = [[] as number[], Array.from({ length: other.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const isSwap = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      next[j] = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (isSame ? 0 : 1),
        isSwap ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, row] = [row, next];
  }
  return row[other.length] as number;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };

/** The number that a text stands for, `'3000'` or `'3s'` (in ms), and a number itself. */
export function numberMeant(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const [, digits, unit = 'ms'] = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?\s*$/i.exec(value) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}
