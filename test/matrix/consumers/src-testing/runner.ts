type Test = (name: string, run: () => Promise<void>) => unknown;

/** That of Jest or Vitest, where one of them runs this, else that of Node. */
export const test: Test =
  (globalThis as { test?: Test }).test ??
  (process.getBuiltinModule('node:test').test as unknown as Test);
