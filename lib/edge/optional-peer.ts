const loaded = new Map<string, Promise<unknown>>();

/**
 * An optional peer dependency, which is there where its transport is used; `undefined` otherwise.
 * Only an error on that transport asks for it, so nothing is loaded before.
 */
export function optionalPeer<T>(name: string): Promise<T | undefined> {
  let peer = loaded.get(name);
  if (peer === undefined) {
    peer = import(name).catch(() => undefined);
    loaded.set(name, peer);
  }
  return peer as Promise<T | undefined>;
}
