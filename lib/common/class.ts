/** A class, of whatever it makes. */
export type Class = abstract new (...args: never[]) => unknown;

/** Any method of a class. */
export type AnyMethod = (this: unknown, ...args: unknown[]) => unknown;
