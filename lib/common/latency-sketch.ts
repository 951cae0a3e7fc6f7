/** Buckets of an octave. */
const BITS = 6;
/** Of the high half of a double, what tells the bucket of its value: the exponent, and so many bits of the fraction. */
const SHIFT = 20 - BITS;
/** From 2 to the power of this, in ms, up to 30 octaves more. */
const SMALLEST_EXPONENT = -7;
/** What is shorter counts as so long, in the first bucket. */
const LEAST_MS = 0.01;
const BUCKETS = 30 << BITS;
/** What tells the first bucket. */
const BASE = (1_023 + SMALLEST_EXPONENT) << BITS;
/** So many buckets are made room for at a time. */
const BLOCK = 64;
const NOTHING = new Uint32Array(0);

/** A double, and its two halves. */
const double = new Float64Array([1]);
const halves = new Uint32Array(double.buffer);
const HIGH = halves[1] === 0 ? 0 : 1; // which of them comes first

/**
 * Counts of durations in buckets that grow in proportion, as in DDSketch (Masson, Rim and Lee, VLDB 2019): a
 * quantile read from them is within 1 % of the true one, for durations from 0.01 ms to about two hours (a
 * shorter one counts as 0.01 ms). An octave has 64 buckets, which are found without a logarithm: by the
 * exponent and the first bits of the fraction. There is room for the range that was recorded, which is 2 kB
 * where the longest takes a hundred times as long as the shortest, and never more than 8 kB. Sketches add up
 * without loss.
 */
export class LatencySketch {
  /** How many there are. */
  total = 0;
  /** The bucket of the first of the counts. */
  private first = 0;
  private counts = NOTHING;

  /** Counts a duration, in ms. */
  record(durationMs: number): void {
    const bucket = bucketOf(durationMs);
    let place = bucket - this.first;
    if (place < 0 || place >= this.counts.length) {
      this.makeRoom(bucket, bucket);
      place = bucket - this.first;
    }
    this.counts[place] = (this.counts[place] as number) + 1;
    this.total++;
  }

  /** Counts all that another has counted. */
  add(other: LatencySketch): void {
    if (other.total === 0) return;
    this.makeRoom(other.first, other.first + other.counts.length - 1);
    const shift = other.first - this.first;
    const { counts } = this;
    other.counts.forEach((count, place) => {
      counts[place + shift] = (counts[place + shift] as number) + count;
    });
    this.total += other.total;
  }

  /** Forgets all that was counted. */
  clear(): void {
    this.counts.fill(0);
    this.total = 0;
  }

  /**
   * The durations in ms below which these shares of the calls lie.
   *
   * @param shares from 0 to 1, in ascending order
   * @returns one for each share; nothing where nothing was recorded
   */
  quantiles(shares: readonly number[]): number[] {
    if (this.total === 0) return [];
    const found: number[] = [];
    let seen = 0;
    for (let place = 0; place < this.counts.length && found.length < shares.length; place++) {
      seen += this.counts[place] as number;
      // The nearest rank: the smallest duration that at least this share of the calls does not exceed.
      while (
        found.length < shares.length &&
        seen >= Math.max(1, Math.ceil((shares[found.length] as number) * this.total))
      ) {
        found.push(durationOf(this.first + place));
      }
    }
    return found;
  }

  /** The buckets that are not empty, in ascending order, each by the longest duration that it holds. */
  *buckets(): Generator<{
    /** The longest duration that the bucket counts. */
    ms: number;
    /** How many durations it has counted. */
    count: number;
  }> {
    for (const [place, count] of this.counts.entries())
      if (count > 0) yield { ms: upperEdgeOf(this.first + place), count };
  }

  private makeRoom(lowest: number, highest: number): void {
    const { counts, first } = this;
    const end = first + counts.length;
    const isEmpty = counts.length === 0;
    const newFirst = Math.floor((isEmpty ? lowest : Math.min(first, lowest)) / BLOCK) * BLOCK;
    const newEnd =
      Math.ceil(((isEmpty ? highest : Math.max(end - 1, highest)) + 1) / BLOCK) * BLOCK;
    if (newFirst === first && newEnd === end) return;
    this.counts = new Uint32Array(newEnd - newFirst);
    this.counts.set(counts, isEmpty ? 0 : first - newFirst);
    this.first = newFirst;
  }
}

function bucketOf(durationMs: number): number {
  if (!(durationMs > LEAST_MS)) return 0;
  double[0] = durationMs;
  const bucket = ((halves[HIGH] as number) >>> SHIFT) - BASE;
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/** A bucket holds what is at least this, up to that of the next one. */
function lowerEdgeOf(bucket: number): number {
  const octave = bucket >> BITS;
  const place = bucket - (octave << BITS);
  return 2 ** (SMALLEST_EXPONENT + octave) * (1 + place / (1 << BITS));
}

function upperEdgeOf(bucket: number): number {
  return lowerEdgeOf(bucket + 1);
}

/** The value that is as far, in proportion, from one end of the bucket as from the other. */
function durationOf(bucket: number): number {
  if (bucket === 0) return LEAST_MS;
  const lowest = lowerEdgeOf(bucket);
  const highest = upperEdgeOf(bucket);
  return (2 * lowest * highest) / (lowest + highest);
}
