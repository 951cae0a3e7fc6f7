import type { ResilienceError } from '../errors/resilience.error.js';

/** What is typed of a stage: from these of all stages the types of options, plans and events are made. */
export interface StageTypes {
  readonly name: string;
  readonly policy: unknown;
  /** What bundles can say of it. */
  readonly service?: object;
  /** The module's options that are its own, in which something gets names. */
  readonly names?: object;
  /** What the module's `defaults` can say of it. */
  readonly defaults?: object;
  /** How `ResilienceService.describe()` shows its policy. */
  readonly described?: object;
  readonly event?: { readonly type: string };
  readonly error?: ResilienceError;
}

/** `{ a } | { b }` as `{ a } & { b }`. */
type All<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  all: infer Every,
) => void
  ? Every
  : never;

/** One kind of what stages have, of all that have it. */
export type AllOf<T extends StageTypes, Kind extends 'service' | 'names' | 'defaults'> = All<
  T extends { [K in Kind]: infer Own } ? Own : never
>;

/** One kind of what stages have, of any that has it. */
export type AnyOf<T extends StageTypes, Kind extends 'event' | 'error'> = T extends {
  [K in Kind]: infer Own;
}
  ? Own
  : never;

/** The policies of an operation, by the names of its stages. */
export type PoliciesOf<T extends StageTypes> = {
  readonly [Stage in T as Stage['name']]?: Stage['policy'] | undefined;
};

/** The same as they are described. */
export type DescriptionsOf<T extends StageTypes> = {
  [Stage in Extract<T, { described: object }> as Stage['name']]?: Stage['described'];
} & {
  /** Of stages of an application's own: with the `name` of the instance. */
  [stage: string]: object | undefined;
};
