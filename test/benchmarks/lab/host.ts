// How fast the host is at the moment. Nothing but the language may be used here: this runs before
// whatever a process measures is loaded.

const BATCHES = 40;
const CALLS = 20_000;

/** Its own function and its own loop, for the compiler to learn nothing that a case profits from. */
async function plain(): Promise<number> {
  return 1;
}

async function loop(): Promise<void> {
  for (let made = 0; made < CALLS; made++) await plain();
}

/** @returns ns that a plain async call takes in this process, at best */
export async function plainCall(): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < BATCHES; batch++) {
    const begunAt = performance.now();
    await loop();
    best = Math.min(best, performance.now() - begunAt);
  }
  return (best * 1e6) / CALLS;
}
