/** More than any loop makes, so that what is measured is being let in. */
export const UNREACHED = { limit: 1_000_000, intervalMs: 1 };
