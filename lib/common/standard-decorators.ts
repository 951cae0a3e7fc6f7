import { display, ResilienceConfigurationError } from './configuration.error.js';

/**
 * Compilers call a decorator in one of two ways. That of the ECMAScript standard hands a context object
 * where TypeScript's `experimentalDecorators` hand the key, and has neither parameter decorators nor
 * the metadata by which Nest injects.
 *
 * @param key the second argument that the decorator was called with
 * @throws ResilienceConfigurationError where that is the context of a standard decorator
 */
export function refuseStandardDecorator(decorator: string, key: unknown): void {
  if (typeof key !== 'object' || key === null) return;
  const { kind, name } = key as { kind?: unknown; name?: unknown };
  const what = typeof name === 'string' ? display(name) : String(name);
  throw new ResilienceConfigurationError(
    `${decorator} on the ${String(kind)} ${what}`,
    'is compiled as a standard ECMAScript decorator; set "experimentalDecorators": true and "emitDecoratorMetadata": true in the compilerOptions of tsconfig.json (or the same in your compiler), which Nest itself needs',
  );
}
