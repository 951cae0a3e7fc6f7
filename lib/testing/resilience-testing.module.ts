import { type DynamicModule, Inject, Module, Optional } from '@nestjs/common';
import { BENCH, type Bench } from '../bench.js';
import {
  type AnyStage,
  checkOptions,
  ResilienceConfigurationError,
  ResilienceModule,
  type ResilienceModuleOptions,
  type Rules,
} from '../index.js';
import { ApplicationBench } from './application-bench.js';
import { TESTING_MODES, type TestingMode } from './modes.js';
import { ResilienceTesting } from './resilience-testing.js';

/** What a test says of its application. */
export interface ResilienceTestingOptions<Stages extends readonly AnyStage[] = []> {
  /**
   * Those of `ResilienceModule.forRoot()`. What decorators name need not be among them: a name that nobody has
   * registered is one with defaults; of `@Timeout('payments.client')` 10 seconds, and a rate limit that nobody meets.
   */
  options?: ResilienceModuleOptions<Stages>;
  /** What policies do. @default 'enforce' */
  mode?: TestingMode;
}

const RULES: Rules<ResilienceTestingOptions> = {
  options: (value) =>
    typeof value === 'object' && value !== null
      ? undefined
      : 'options of ResilienceModule.forRoot()',
  mode: (value) =>
    TESTING_MODES.includes(value as TestingMode) ? undefined : `one of ${TESTING_MODES.join(', ')}`,
};

/**
 * Resilience for a test: nothing has to be registered, nothing is logged or alerted on, nobody is waited for when the
 * application closes, and all calls are there to be looked at. Injects `ResilienceTesting`.
 */
@Module({})
export class ResilienceTestingModule {
  /** @internal */
  constructor(@Optional() @Inject(BENCH) bench?: Bench) {
    if (bench === undefined)
      throw new ResilienceConfigurationError(
        'ResilienceTestingModule',
        'is imported as it is, and so does nothing; allowed: ResilienceTestingModule.forRoot(), or .forApplication() beside an application',
      );
  }

  /**
   * Stands in a test's imports in the place of `ResilienceModule.forRoot()`.
   *
   * @throws ResilienceConfigurationError where an option is wrong
   *
   * @example
   * ResilienceTestingModule.forRoot({ options: { defaults: { timeoutMs: 800 } } });
   */
  static forRoot<const Stages extends readonly AnyStage[] = []>(
    given: ResilienceTestingOptions<Stages> = {},
  ): DynamicModule {
    return moduleFor('ResilienceTestingModule.forRoot()', given as ResilienceTestingOptions, true);
  }

  /**
   * Stands in a test's imports beside an application that has a `ResilienceModule` of its own: `imports: [AppModule,
   * ResilienceTestingModule.forApplication()]`. Its `options` take the place of those that the application gives
   * itself, one by one.
   *
   * @throws ResilienceConfigurationError
   */
  static forApplication<const Stages extends readonly AnyStage[] = []>(
    given: ResilienceTestingOptions<Stages> = {},
  ): DynamicModule {
    return moduleFor(
      'ResilienceTestingModule.forApplication()',
      given as ResilienceTestingOptions,
      false,
    );
  }
}

function moduleFor(
  place: string,
  given: ResilienceTestingOptions,
  hasResilience: boolean,
): DynamicModule {
  const { options = {}, mode = 'enforce' } = checkOptions(place, given, RULES);
  const bench = new ApplicationBench(options, mode);
  return {
    module: ResilienceTestingModule,
    global: true,
    imports: hasResilience ? [ResilienceModule.forRoot(options)] : [],
    providers: [
      { provide: BENCH, useValue: bench },
      { provide: ResilienceTesting, useValue: new ResilienceTesting(bench) },
    ],
    exports: [ResilienceTesting],
  };
}
