/** Lets the tests find our `@jest/globals`. */
export function resolve(specifier, context, next) {
  return specifier === '@jest/globals'
    ? { url: new URL('jest-globals.mjs', import.meta.url).href, shortCircuit: true }
    : next(specifier, context);
}
