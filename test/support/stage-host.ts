import type { StageEvent, StageHost } from '../../lib/stage/stage-host.js';

/** What a policy is made with that belongs to no application, for who listens to what it reports. */
export function stageHost(
  report: (event: StageEvent) => void = () => undefined,
  gauge: (name: string, value: number) => void = () => undefined,
): StageHost {
  const ignored = () => undefined;
  return {
    captureStackTrace: false,
    inFlight: { enter: ignored, leave: ignored },
    metrics: {
      increment: ignored,
      observe: ignored,
      gauge,
      forget: ignored,
      watch: (name, _tags, read) => ({ changed: () => gauge(name, read()) }),
      bind: (kind, name) => (value) => kind === 'gauge' && gauge(name, value),
    },
    warnOf: () => ignored,
    report,
  };
}
