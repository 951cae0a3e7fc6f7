import { caught, work } from '../cases/baselines.js';
import { type Call, type Case, defineCases, repeat } from '../lab/case.js';
import { versionOf } from '../packages.js';

/** What we compare. */
export type Pattern =
  | 'fullStack'
  /** What comes nearest to it, where a peer has not all of it. */
  | 'partialStack'
  | 'retry'
  | 'circuitBreaker'
  | 'timeout'
  | 'bulkhead'
  | 'rateLimit'
  | 'fallback'
  /** Calls that are equal, one after the other. */
  | 'coalesce'
  /** Where a peer has none, what answers without the call. */
  | 'lastGood'
  | 'openBreaker';

/** Puts a pattern, as the peer has it, around something to call. */
export type Protect = (work: Call) => Call | Promise<Call>;

/** Another library, with the patterns that it has as cases. */
export interface Peer {
  /** With its version. */
  readonly name: string;
  readonly cases: Readonly<Partial<Record<Pattern, Case>>>;
}

/**
 * A peer, in a module of its own: a process that measures it loads no other.
 *
 * @param source `import.meta.url` of the module, whose default export has to be the cases
 */
export function definePeer(
  source: string,
  name: string,
  patterns: Readonly<Partial<Record<Pattern, Protect>>>,
): Peer {
  const setups = Object.entries(patterns).map(([pattern, protect]) => {
    const setup = async () => {
      const call = await protect(work);
      return repeat(pattern === 'openBreaker' ? caught(call) : call);
    };
    return [pattern, setup] as const;
  });
  return {
    name: `${name} ${versionOf(name)}`,
    cases: defineCases(source, Object.fromEntries(setups)),
  };
}
