import type { ResilienceOverrides } from '../overrides/overrides.js';
import type { Summary } from './summary.js';

/** What an option is called, and what changes it. */
export interface Placed {
  readonly option: string;
  readonly overrides: ResilienceOverrides;
}

/** Of an option of one operation. @param path from its stage on: `timeout.attemptMs` */
export function ofOperation(operation: string, path: string, value: unknown): Placed {
  return { option: path, overrides: { operations: { [operation]: nested(path, value) } } };
}

/**
 * Of an option of a policy that operations may share: by its name where it has one, and else by that of the
 * operation whose own it is.
 *
 * @param change the option first, and what has to change with it
 */
export function ofPolicy(
  name: string,
  sharers: readonly Summary[],
  { stage, section }: { readonly stage: string; readonly section: string },
  change: object,
): Placed {
  const [option] = Object.keys(change);
  const isOwn = sharers.some(({ operation }) => operation === name);
  return isOwn
    ? {
        option: `${stage}.${option}`,
        overrides: { operations: { [name]: nested(stage, change) } },
      }
    : { option: `${section}.${name}.${option}`, overrides: { [section]: { [name]: change } } };
}

function nested(path: string, value: unknown): Record<string, unknown> {
  return path
    .split('.')
    .reduceRight<unknown>((inside, key) => ({ [key]: inside }), value) as Record<string, unknown>;
}
