import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { Test, type TestingModule } from '@nestjs/testing';
import { TimeoutError } from 'nestjs-bulwark';
import {
  expectCalls,
  ResilienceTesting,
  ResilienceTestingModule,
  scriptedUpstream,
  virtualClock,
} from 'nestjs-bulwark/testing';
import { PaymentsService } from './payments.service.js';
import { test } from './runner.js';

async function withPayments(
  run: (payments: PaymentsService, module: TestingModule) => Promise<void>,
): Promise<void> {
  const module = await Test.createTestingModule({
    imports: [ResilienceTestingModule.forRoot()],
    providers: [PaymentsService],
  }).compile();
  await module.init();
  try {
    await run(module.get(PaymentsService), module);
  } finally {
    await module.close();
  }
}

test('time passes when the test says so', () =>
  withPayments(async (payments) => {
    const clock = virtualClock();
    const answer = assert.rejects(payments.hang(), TimeoutError);
    await clock.advance(60_000);
    await answer;
    expectCalls(payments, 'hang').toHave({ calls: 1, attempts: 3, error: TimeoutError });
    clock.restore();
  }));

test('policies are put into states, which are asserted', () =>
  withPayments(async (payments, module) => {
    const breaker = module.get(ResilienceTesting).breaker('payments');
    breaker.open();
    breaker.toBeOpen();
    assert.throws(() => breaker.toBeClosed(), { name: 'AssertionError', actual: 'OPEN' });
    assert.equal(await payments.chargeOrQueue(), 'queued');
    expectCalls(payments, 'chargeOrQueue').toHave({
      outcome: 'fallback',
      decisions: ['circuit-rejected', 'fallback'],
    });
  }));

test('an upstream fails as it is told', () =>
  withPayments(async (payments, module) => {
    const upstream = await scriptedUpstream();
    payments.url = upstream.url;
    module.get(ResilienceTesting).failFast();
    upstream.reply('POST /charges', 503, 'reset', { body: { id: 1 } });
    await payments.charge();
    expectCalls(PaymentsService, 'charge').toHave({
      attempts: 3,
      delaysMs: [0, 0],
      result: { id: 1 },
    });
    assert.equal(upstream.requests[2]?.headers['x-request-attempt'], '3');
    await upstream.close();
  }));
