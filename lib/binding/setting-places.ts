import { decoratorName } from '../dispatch/method-definition.js';
import type { StageDefinition } from '../stage/stage-definition.js';

/** Where settings stand, by the stage that they are for. */
export type PlaceOf = (setting: string, stage?: StageDefinition) => string;

/** Where settings stand that decorators said: `PaymentsService.charge @Retry()`. */
export function atDecorators(place: string): PlaceOf {
  return (setting, stage) => `${place} ${decoratorName(stage?.saidBy ?? setting)}`;
}

/** Where settings stand that options say: `services.payments.retry`. */
export function inOptions(place: string): PlaceOf {
  return (setting, stage) =>
    setting === 'resilience' ? place : `${place}.${stage?.key ?? setting}`;
}
