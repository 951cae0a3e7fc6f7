/** One call of what is measured. */
export type Call = () => Promise<unknown>;

/** So many calls, one after the other. */
export type Loop = (calls: number) => Promise<unknown>;

/** Done once, in the process that measures. */
export type Setup = () => Loop | Promise<Loop>;

/** What one process measures, and nothing beside it. */
export interface Case {
  /** The module that has it. */
  readonly source: string;
  readonly name: string;
  readonly setup: Setup;
}

/**
 * The cases of a module, which has to export them as its default for the process that measures.
 *
 * @param source `import.meta.url`
 */
export function defineCases<K extends string>(
  source: string,
  setups: Readonly<Record<K, Setup>>,
): Record<K, Case> {
  const entries = Object.entries<Setup>(setups).map(([name, setup]) => [
    name,
    { source, name, setup },
  ]);
  return Object.fromEntries(entries);
}

/** A process calls this for its only case, so that the compiler knows what the loop calls. */
export function repeat(call: Call): Loop {
  return async (calls) => {
    for (let made = 0; made < calls; made++) await call();
  };
}
