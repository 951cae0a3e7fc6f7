import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import {
  type ByKeyOptions,
  type Keyable,
  type KeyedReference,
  named,
} from '../stage/keyed.options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { definitionOf } from './own-stage.js';
import type { StageErrorClass } from './reporter.js';
import type { AnySpecification, StageInstance, StageSpecification } from './stage-specification.js';

/** A stage of your own, for `forRoot({ stages: [...] })`. */
export interface Stage<
  Name extends string = string,
  Section extends string = string,
  Options extends object = object,
  Short = unknown,
  Instance extends StageInstance = StageInstance,
> {
  /** What bundles and `defaults` call it. */
  readonly name: Name;
  /** The class of its errors. */
  readonly Error: StageErrorClass;
  /** Of types only: what the module's options, decorators and injection are inferred from. */
  readonly types?: {
    /** The module's option in which its instances have names. */
    section: Section;
    /** Its options. */
    options: Options;
    /** What stands for options in short. */
    short: Short;
    /** What its `make` makes. */
    instance: Instance;
  };
  /** @internal */
  readonly definition: StageDefinition;
}

/** A stage of your own, whatever its options are. */
// biome-ignore lint/suspicious/noExplicitAny: whatever its options are
export type AnyStage = Stage<string, any, any, any, any>;

export type TypesOf<S extends AnyStage> = NonNullable<S['types']>;

/** Its options, or something shorter. */
type OptionsOf<S extends AnyStage> = Keyable<TypesOf<S>['options']> | TypesOf<S>['short'];

/** What a stage's decorator takes, and bundles say: options, or the name of an instance. */
export type StageArgument<S extends AnyStage> =
  | OptionsOf<S>
  | ([TypesOf<S>['section']] extends [never] ? never : string | KeyedReference);

/** The module's options in which the instances of stages get names. */
export type NamesOf<Stages extends readonly AnyStage[]> = {
  [S in Stages[number] as TypesOf<S>['section']]?: Record<string, OptionsOf<S>>;
};

/** What bundles can say of stages. */
export type ArgumentsOf<Stages extends readonly AnyStage[]> = {
  [S in Stages[number] as S['name']]?: StageArgument<S>;
};

/** What `defaults` can say of stages. */
export type DefaultsOf<Stages extends readonly AnyStage[]> = {
  [S in Stages[number] as S['name']]?: OptionsOf<S>;
};

/**
 * Defines a stage of your own, which is then like one of ours: its options are checked at boot, its
 * instances can be shared by name, described and injected; its error is mapped at every edge, its metrics
 * are exported, its snapshot is part of health and of the dashboard.
 *
 * What is wrong with it fails the boot of applications that have it in `forRoot({ stages })`.
 *
 * @example
 * const quota = defineStage({
 *   name: 'quota',
 *   options: { perDay: rules.count },
 *   defaults: { perDay: 1_000 },
 *   make(_name, { perDay }, host) {
 *     let used = 0;
 *     return {
 *       admit() {
 *         if (++used > perDay) throw host.refusal({ message: 'The quota is used up' });
 *       },
 *     };
 *   },
 * });
 * ResilienceModule.forRoot({ stages: [quota] });
 * const Quota = decoratorOf(quota);
 */
export function defineStage<
  const Name extends string,
  Options extends object,
  Instance extends StageInstance,
  const Section extends string = never,
  Defaults extends Partial<Options> = Record<never, never>,
  Short = never,
>(
  specification: StageSpecification<Name, Section, Options, Defaults, Short, Instance>,
): Stage<Name, Section, Partial<Options>, Short, Instance> {
  const { name } = specification;
  const { definition, errorClass } = definitionOf(specification as unknown as AnySpecification);
  return { name, Error: errorClass, definition };
}

/**
 * The decorator of a stage of your own: `const Concurrency = decoratorOf(concurrency)`. Where its instances
 * have names, one can be kept by key: `@Concurrency('partner', { key: (tenant) => tenant })`.
 */
export function decoratorOf<S extends AnyStage>(
  stage: S,
): (
  argument?: StageArgument<S>,
  ...keyed: [TypesOf<S>['section']] extends [never] ? [] : [keyed?: ByKeyOptions]
) => ResilienceDecorator {
  return (argument = {}, ...[keyed]) => decorate(stage.name, named(argument, keyed));
}

/** The injection token of a named instance of a stage: of what its `make` made. */
export function getStageToken(stage: AnyStage, name: string): string {
  return policyToken(stage.name, name, stage.definition.instances?.section);
}

/** Injects a named instance of a stage: what its `make` made. An unknown name fails the boot. */
export function InjectStage(stage: AnyStage, name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getStageToken(stage, name), '@InjectStage()');
}
