/** One call of what is measured. */
export type Call = () => Promise<unknown>;

/** Something that is called over and over. */
export interface Case {
  readonly name: string;
  /** Done once, in the process that measures. */
  setup(): Call | Promise<Call>;
}

/** A module with cases, for the process that measures to import. */
export interface CaseModule {
  default: { readonly source: string; readonly cases: readonly Case[] };
}
