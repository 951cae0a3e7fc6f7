import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ErrorTrackerOptions } from '../../lib/index.js';
import { RecordingLogger } from '../binding/support.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { booting } from '../support/resilience-app.js';

type Fields = { [field: string]: unknown };

const boot = booting();
let logger: RecordingLogger;
beforeEach(() => {
  logger = new RecordingLogger();
});

/** The link of an application that is one of a fleet. */
async function linked(errorTracker: ErrorTrackerOptions = {}) {
  const hub = new MemoryFleet();
  await boot({ errorTracker, fleet: hub.fleet() });
  Logger.overrideLogger(logger); // Nest's testing module has put its own there
  const [link] = hub.links;
  if (link === undefined) throw new Error('The application has made no link');
  return {
    lose: () => link.cut(new Error('connect redis://shop:hunter2@redis')),
    mend: () => link.mend(),
  };
}

const written = () =>
  logger.records
    .filter(({ context }) => context === 'Fleet')
    .map(({ level, message }) => ({ level, ...(message as Fields) }) as Fields);

describe('A link to the fleet', () => {
  it('that is lost is a warning with the reason, without credentials', async () => {
    const { lose } = await linked();
    lose();
    expect(written()).toEqual([
      {
        level: 'warn',
        event: 'fleet',
        message:
          'The fleet is not reached, and this instance goes on by itself: connect redis://[redacted]@redis',
        up: false,
        instances: 1,
        reason: 'connect redis://[redacted]@redis',
        timestamp: expect.any(String),
      },
    ]);
  });

  it('that is back is a record with the number of instances', async () => {
    const { lose, mend } = await linked();
    lose();
    await mend();
    expect(written()).toEqual([
      expect.objectContaining({ level: 'warn' }),
      expect.objectContaining({
        level: 'log',
        message: 'The fleet is reached: 1 instance',
        up: true,
      }),
    ]);
  });

  it('is not written where nothing is', async () => {
    const { lose } = await linked({ log: false });
    lose();
    expect(written()).toEqual([]);
  });
});
