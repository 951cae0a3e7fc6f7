/** Who said an option, the lowest first: what is further up wins. */
export type Origin = 'default' | 'defaults' | 'module' | 'decorator' | 'override' | 'run time';

/** Options that were said together. */
export interface Layer {
  readonly origin: Origin;
  /** Where, for messages. */
  readonly place: string;
  readonly options: object;
}

/** By option, who said the value in force. */
export type Origins = Record<string, Origin>;

/** @param inForce the options in force, of which each was said by the highest layer that has it, or is a default */
export function originsOf(inForce: object, layers: readonly Layer[]): Origins {
  return Object.fromEntries(
    Object.keys(inForce).map((option) => {
      const layer = layers.findLast(
        ({ options }) => (options as Record<string, unknown>)[option] !== undefined,
      );
      return [option, layer?.origin ?? 'default'];
    }),
  );
}
