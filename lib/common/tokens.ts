import { Inject } from '@nestjs/common';
import { refuseStandardDecorator } from './standard-decorators.js';

const REQUESTED = Symbol.for('nestjs-bulwark:requested-tokens');

/** A policy that something in the process wants injected. */
export interface RequestedToken {
  /** The stage's name: `circuitBreaker`. */
  stage: string;
  name: string;
  token: string;
  /** Of a stage of an application's own: the module's option in which its instances get names. */
  section?: string | undefined;
}

const shared = globalThis as { [REQUESTED]?: Map<string, RequestedToken> };
shared[REQUESTED] ??= new Map();
const requested = shared[REQUESTED];

/**
 * The injection token of a policy. It is remembered, because with `forRootAsync` the names are not
 * known when Nest wants to know the providers: it is offered those that somebody asks for.
 */
export function policyToken(stage: string, name: string, section?: string): string {
  const token = tokenOf(stage, name);
  requested.set(token, { stage, name, token, section });
  return token;
}

/** The same token, of which nobody has asked for the policy: it would be looked for in every later application. */
export function tokenOf(stage: string, name: string): string {
  return `nestjs-bulwark:${stage}:${name}`;
}

export function requestedTokens(): RequestedToken[] {
  return [...requested.values()];
}

/** Injects what a token stands for, into a constructor's parameter or a property. */
export function injectPolicy(
  token: string,
  decorator: string,
): ParameterDecorator & PropertyDecorator {
  return (target: object, key: string | symbol | undefined, index?: number): void => {
    refuseStandardDecorator(decorator, key);
    (Inject(token) as ParameterDecorator)(target, key, index as number);
  };
}
