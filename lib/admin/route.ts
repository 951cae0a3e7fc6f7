import type { ControlScope } from '../index.js';
import type { AdminState } from './admin-state.js';
import type { ObjectSchema, Schema } from './schemas.js';

/** What a request asks for. */
export interface Asked {
  /** What stands in the place of the names in the path. */
  readonly names: readonly string[];
  query(name: string): string | null;
}

/** The same of one that changes something. */
export interface Told extends Asked {
  /** Of one that has a `body`. */
  readonly body: unknown;
  /** For whom it is meant, and who says so. */
  readonly scope: ControlScope & { readonly by: string };
}

/** What was done. */
export interface Done {
  /** What the log says of it beside who did it; nothing where there was nothing to do. */
  readonly record?: { readonly event: string; readonly [field: string]: unknown };
  readonly answer?: object;
}

interface AnyRoute {
  /** Below that of the module: `/breakers/{name}/open`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** What can be in the query, and what that is. */
  readonly query?: { readonly [name: string]: string };
  /** Of 200; without it the answer is 204. */
  readonly answers?: ObjectSchema;
  /** That there may be no such thing, in words. */
  readonly missing?: string;
}

/** Something that is shown. */
export interface Reading extends AnyRoute {
  readonly method: 'GET';
  /** @returns nothing where there is no such thing */
  read(state: AdminState, asked: Asked): object | undefined | Promise<object | undefined>;
}

/** Something that changes what the application does. */
export interface Control extends AnyRoute {
  readonly method: 'POST' | 'DELETE';
  readonly body?: Schema;
  /** Whether all instances of a fleet can be told. */
  readonly isForFleet?: true;
  /** @returns nothing where there is no such thing */
  act(state: AdminState, told: Told): Done | undefined | Promise<Done | undefined>;
}

export type Route = Reading | Control;

/** What stands in the place of the names in a path; nothing where that is another. */
export function namesIn(parts: readonly string[], path: string): string[] | undefined {
  const expected = path.slice(1).split('/');
  if (parts.length !== expected.length) return undefined;
  const isName = (part: string) => part.startsWith('{');
  const fits = expected.every((part, index) => isName(part) || part === parts[index]);
  return fits ? parts.filter((_, index) => isName(expected[index] as string)) : undefined;
}
