import { matchesWildcard } from '../common/wildcard.js';

/** Tells which operations a pattern means: a text in which `*` stands for anything, or a RegExp. */
export function matcherOf(pattern: string | RegExp): (operation: string) => boolean {
  if (typeof pattern === 'string') return (operation) => matchesWildcard(pattern, operation);
  // With these flags it would go on where it stopped the last time.
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  return (operation) => stateless.test(operation);
}
