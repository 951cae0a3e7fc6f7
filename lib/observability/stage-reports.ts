import { CircuitState } from '../circuit-breaker/circuit-state.js';
import type { StageEvent } from '../stage/stage-host.js';
import type { CircuitTransition } from './circuit-log.js';
import type { NewResilienceEvent } from './resilience-events.js';
import type { Telemetry } from './telemetry.js';

/** Where the events of stages go: to everybody who listens, and what breakers do to the log and the alerts before. */
export function stageReports({
  circuitLog,
  alerts,
  events,
}: Telemetry): (event: StageEvent) => void {
  return (event) => {
    if (event.type === 'circuit-state') {
      const transition = event as unknown as CircuitTransition;
      circuitLog.write(transition);
      if (transition.to === CircuitState.CLOSED) alerts.recovered(transition.breaker);
    }
    if (event.type === 'would-open')
      circuitLog.writeShadow(event as unknown as Omit<CircuitTransition, 'from' | 'to'>);
    events.emit(event as NewResilienceEvent);
  };
}
