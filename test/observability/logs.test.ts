import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ConsoleLogger, Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Critical,
  ErrorTracker,
  ResilienceModule,
  type ResilienceModuleOptions,
} from '../../lib/index.js';

@Injectable()
class Payments {
  @Critical()
  async charge(_card: string): Promise<string> {
    throw new Error(`down ${'x'.repeat(5_000)}`);
  }
}

afterEach(() => {
  jest.restoreAllMocks();
  Logger.overrideLogger(true);
});

/** The lines that an application writes, with Nest's own JSON logger. */
async function lines(
  options: ResilienceModuleOptions,
  act: (payments: Payments) => Promise<unknown>,
) {
  @Module({ imports: [ResilienceModule.forRoot(options)], providers: [Payments] })
  class App {}
  const written: string[] = [];
  const keep = (chunk: unknown) => {
    written.push(String(chunk));
    return true;
  };
  jest.spyOn(process.stdout, 'write').mockImplementation(keep as never);
  jest.spyOn(process.stderr, 'write').mockImplementation(keep as never);
  const logger = new ConsoleLogger({ json: true, colors: false });
  const app = await NestFactory.createApplicationContext(App, { logger });
  await act(app.get(Payments)).catch(() => undefined);
  const recent = app.get(ErrorTracker).getRecentErrors();
  await app.close();
  jest.restoreAllMocks();
  const records = written
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { records, text: written.join(''), recent };
}

const context = {
  requestId: 'r1',
  metadata: {
    shop: 'eu',
    password: 'hunter2',
    nested: [{ apiKey: 'k-1', 'Set-Cookie': 'c-1' }],
    accessToken: 't-1',
  },
};
const error = ({ message }: { message?: { event?: string } }) =>
  message?.event === 'error_occurred';

describe('The records in the log', () => {
  it("are fields of Nest's JSON logger, and not a string in a string", async () => {
    const { records } = await lines({ errorContext: () => context }, (it) => it.charge('4242'));
    expect(records.find(error).message).toMatchObject({
      event: 'error_occurred',
      error_type: 'Error',
      operation: 'Payments.charge',
      service: 'Payments',
      requestId: 'r1',
    });
  });

  it('have no arguments of calls, and messages of at most 2 kB', async () => {
    const { records, text } = await lines({}, (it) => it.charge('4242-4242'));
    expect(text).not.toContain('4242-4242');
    expect(records.find(error).message.error_message.length).toBeLessThanOrEqual(2_048);
  });

  it('have what looks like a secret masked, in the log, the alerts and the tracker', async () => {
    const { records, text, recent } = await lines({ errorContext: () => context }, (it) =>
      it.charge(''),
    );
    expect(records.find(error).message.metadata).toEqual({
      shop: 'eu',
      password: '[redacted]',
      nested: [{ apiKey: '[redacted]', 'Set-Cookie': '[redacted]' }],
      accessToken: '[redacted]',
    });
    for (const secret of ['hunter2', 'k-1', 'c-1', 't-1']) {
      expect(text + JSON.stringify(recent)).not.toContain(secret);
    }
  });

  it('have metadata as the redaction hook leaves it', async () => {
    const redact = ({ shop }: Record<string, unknown>) => ({ shop });
    const options = { errorContext: () => context, errorTracker: { redact } };
    const { records } = await lines(options, (it) => it.charge(''));
    expect(records.find(error).message.metadata).toEqual({ shop: 'eu' });
  });

  it('have no metadata where the hook throws, and the call goes on', async () => {
    const redact = () => {
      throw new Error('broken');
    };
    const options = { errorContext: () => context, errorTracker: { redact } };
    const { records } = await lines(options, (it) => it.charge(''));
    expect(records.find(error).message).not.toHaveProperty('metadata');
    expect(records.find(error).message.requestId).toBe('r1');
  });

  it('survive metadata that refers to itself', async () => {
    const metadata: Record<string, unknown> = { shop: 'eu' };
    metadata.self = metadata;
    const { records } = await lines({ errorContext: () => ({ metadata }) }, (it) => it.charge(''));
    expect(records.find(error).message.metadata.shop).toBe('eu');
  });
});

describe('100,000 operations and types of errors', () => {
  it('take bounded memory in the tracker', () => {
    const tracker = new ErrorTracker({ log: false, maxKeys: 100 });
    for (let n = 0; n < 100_000; n++) {
      const failure = new Error('down');
      failure.name = `Error${n}`;
      tracker.recordCall(`op${n}`, true);
      tracker.track(failure, { service: 's', operation: `op${n}`, upstream: `up${n}` });
    }
    const { total, requests, byType, byOperation, byUpstream } = tracker.getMetrics();
    expect([total, requests]).toEqual([100_000, 100_000]);
    for (const counts of [byType, byOperation, byUpstream]) {
      expect(counts.size).toBe(101);
      expect(counts.get('__other__')).toBe(99_900);
    }
  });
});
