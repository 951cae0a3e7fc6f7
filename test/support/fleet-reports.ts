import type { FleetReports } from '../../lib/fleet/membership.js';

const ignored = () => undefined;

/** Of a member whose reports nobody reads. */
export const NO_REPORTS: FleetReports = {
  metrics: { increment: ignored, gauge: ignored },
  events: { emit: ignored },
  fleetLog: { write: ignored },
  tracker: { redaction: { describe: (error) => ({ message: String(error) }) } },
};
