import type { Class } from '../common/class.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { type MethodDefinition, ownClassSettings } from '../dispatch/method-definition.js';
import { methodResilienceArgument, resilienceArgument } from '../service/resilience.options.js';
import type { Operation } from './operation.js';

/** Who has a name: a method of a class that Nest instantiates, or something made by options. */
export type NameHolder =
  | { readonly type: Class; readonly key: PropertyKey; readonly module?: string }
  | 'a bundle in services'
  | 'a pipeline';

/** The names that an application's operations have. To metrics, two of one name would be one. */
export class OperationNames {
  private readonly holders = new Map<string, NameHolder>();

  /**
   * @param isPipeline whether a pipeline that was made in code has the name. Pipelines do not hold
   * theirs, because code may make one of the same name again, any number of times.
   */
  constructor(private readonly isPipeline: (name: string) => boolean) {}

  /**
   * Again by the same method is no harm.
   *
   * @throws ResilienceConfigurationError where something else has the name
   */
  claim(name: string, holder: NameHolder): void {
    const other = this.holders.get(name);
    if (other !== undefined && !isSame(other, holder)) throw taken(name, other, holder);
    if (holder === 'a pipeline') return;
    if (this.isPipeline(name)) throw taken(name, 'a pipeline', holder);
    this.holders.set(name, holder);
  }
}

/** What a class is called in the names of its operations. */
export function classNameOf(type: Class): string {
  const argument = ownClassSettings(type)?.resilience;
  if (argument === undefined) return type.name;
  return resilienceArgument(`${type.name} @Resilience()`, argument).name ?? type.name;
}

/** The name that a method's decorator gives, else `ClassName.method`. */
export function operationNameOf(type: Class, { key, settings }: MethodDefinition): string {
  const name = `${classNameOf(type)}.${String(key)}`;
  if (settings?.resilience === undefined) return name;
  return methodResilienceArgument(`${name} @Resilience()`, settings.resilience).name ?? name;
}

/** A run of hexadecimal digits: `mixin()` of Nest makes 21 of them up as a class's name, at each start. */
const RANDOM = /(?=[a-f]*\d)[\da-f]{12,}/i;

/** What to do about a class whose name says nothing, or something else after each start. */
export function adviceOnNames(type: Class, operations: readonly Operation[]): string | undefined {
  const name = classNameOf(type);
  if (name !== '' && !RANDOM.test(name)) return undefined;
  const named = operations.map(({ pipeline }) => pipeline.plan.operation);
  const example = named.find((operation) => operation.startsWith(`${name}.`));
  if (example === undefined) return undefined;
  const why =
    name === ''
      ? 'its class has no name'
      : "its class's name is a random one (mixin() makes such names up), so metrics and alerts know it by another name after each start";
  return `${example}: ${why}; give the class a name of its own, @Resilience({ name: 'RoleGuard' }) for instance`;
}

function isSame(one: NameHolder, other: NameHolder): boolean {
  if (typeof one === 'string' || typeof other === 'string') return false;
  return one.type === other.type && one.key === other.key;
}

function taken(name: string, first: NameHolder, second: NameHolder): ResilienceConfigurationError {
  const problem = `the operation name ${JSON.stringify(name)} is taken`;
  const why = 'metrics and errors would take the two for one';
  if (typeof first === 'string' || typeof second === 'string' || !isNamesake(first, second)) {
    return new ResilienceConfigurationError(
      showHolder(second),
      `${problem} by ${showHolder(first)}, and ${why}; allowed: a name of its own, by @Resilience({ name: '…' }) on a method or a class, or in the options of a pipeline`,
    );
  }
  return new ResilienceConfigurationError(
    showHolder(second),
    `${problem} by another class that is called ${first.type.name}${modulesOf(first, second)}, and ${why}. ` +
      'Where a bundler has minified the names, let it keep those of classes (terser and SWC: keep_classnames, esbuild: keepNames); ' +
      "else give one of the classes a name of its own: @Resilience({ name: 'BillingUsers' })",
  );
}

/** Whether it is their classes' names that are the same, and nobody gave them. */
function isNamesake(
  first: { type: Class; key: PropertyKey },
  second: { type: Class; key: PropertyKey },
): boolean {
  return (
    first.type !== second.type &&
    classNameOf(first.type) === first.type.name &&
    classNameOf(second.type) === second.type.name &&
    first.type.name === second.type.name
  );
}

function modulesOf(first: { module?: string }, second: { module?: string }): string {
  return first.module === undefined || second.module === undefined
    ? ''
    : ` (provided in ${first.module}; this one in ${second.module})`;
}

function showHolder(holder: NameHolder): string {
  return typeof holder === 'string' ? holder : `${holder.type.name}.${String(holder.key)}`;
}
