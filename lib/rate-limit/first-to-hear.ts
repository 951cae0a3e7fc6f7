/** Who has heard which answer first. It keeps none of them alive. */
const heard = new WeakMap<object, object>();

/**
 * Whether nobody else has heard the error: one of a call further in, to another partner, says nothing of
 * the one that is called here.
 */
export function firstToHear(error: unknown, listener: object): boolean {
  if (typeof error !== 'object' || error === null) return true;
  const first = heard.get(error) ?? listener;
  heard.set(error, first);
  return first === listener;
}
