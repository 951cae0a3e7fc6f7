import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module, Logger as NestLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Logger, LoggerModule } from 'nestjs-pino';
import { Critical, ResilienceModule } from '../../lib/index.js';

@Injectable()
class Payments {
  @Critical()
  async charge(_card: string): Promise<string> {
    throw new TypeError('declined');
  }
}

let records: Record<string, unknown>[];

/** Once: nestjs-pino keeps the stream of the first application in a process. */
beforeAll(async () => {
  records = await recordsOfFailingCall();
});
afterAll(() => NestLogger.overrideLogger(true));

/** What one failing call leaves in the log of an application that logs with pino. */
async function recordsOfFailingCall(): Promise<Record<string, unknown>[]> {
  const written: string[] = [];
  const stream = { write: (line: string) => written.push(line) };
  @Module({
    imports: [
      LoggerModule.forRoot({ pinoHttp: [{ level: 'info' }, stream] }),
      ResilienceModule.forRoot({
        errorContext: () => ({
          requestId: 'r1',
          userId: 'u1',
          metadata: { shop: 'eu', password: 'hunter2' },
        }),
      }),
    ],
    providers: [Payments],
  })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { bufferLogs: true });
  app.useLogger(app.get(Logger));
  await expect(app.get(Payments).charge('4242-4242')).rejects.toThrow('declined');
  await app.close();
  return written.map((line) => JSON.parse(line));
}

describe('The records in the log of nestjs-pino', () => {
  it('have the fields of an error at the top of its JSON line', () => {
    const errors = records.filter(({ event }) => event === 'error_occurred');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      level: 50,
      context: 'ErrorTracker',
      event: 'error_occurred',
      error_type: 'TypeError',
      error_message: 'declined',
      service: 'Payments',
      operation: 'Payments.charge',
      requestId: 'r1',
      userId: 'u1',
      metadata: { shop: 'eu', password: '[redacted]' },
      timestamp: expect.any(String),
    });
  });

  it('have the fields of an alert at the top of its JSON line', () => {
    expect(records.find(({ event }) => event === 'critical_failure')).toMatchObject({
      level: 50,
      context: 'ResilienceAlert',
      error_type: 'TypeError',
      operation: 'Payments.charge',
      requestId: 'r1',
      suppressed: 0,
    });
  });

  it('have no record in a string, and no arguments of calls', () => {
    const text = JSON.stringify(records);
    expect(text).toContain('"error_occurred"');
    expect(text).not.toContain('\\"error_occurred');
    expect(text).not.toContain('4242-4242');
  });
});
