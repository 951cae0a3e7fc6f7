import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Chaos, ResilienceModule, type ResilienceModuleOptions, Timeout } from '../../lib/index.js';
import { boot, bootBare, closeAll } from '../binding/support.js';

const { NODE_ENV } = process.env;

afterEach(async () => {
  process.env.NODE_ENV = NODE_ENV;
  await closeAll();
});

@Injectable()
class Payments {
  @Timeout(1_000)
  async charge(): Promise<string> {
    return 'charged';
  }
}

const withChaos = (chaos: unknown) =>
  boot({ providers: [Payments] }, { chaos } as ResilienceModuleOptions);
const withRule = (rule: unknown) => withChaos({ rules: [rule] });

const allow = (): boolean => true;
const FITS = { operations: 'Payments.charge' };

describe('The option chaos', () => {
  it.each([
    [1, 'chaos: is 1; allowed: an object with rules, header, allowInProduction, random'],
    [
      { rule: [] },
      'chaos.rule: there is no such option; known: rules, header, allowInProduction, random; did you mean rules?',
    ],
    [{ rules: {} }, 'chaos.rules: is {}; allowed: an array of rules'],
    [{ random: 1 }, 'chaos.random: is 1; allowed: a function'],
    [
      { allowInProduction: 'true' },
      'chaos.allowInProduction: is "true"; allowed: true or false; pass the boolean true',
    ],
    [{ header: 'x-chaos' }, 'chaos.header: is "x-chaos"; allowed: an object with name, allow'],
    [
      { header: { name: 'x-chaos' } },
      "chaos.header: has no allow; allowed: { name: 'x-chaos', allow } where allow says which requests may",
    ],
    [
      { header: { allow } },
      "chaos.header: has no name; allowed: { name: 'x-chaos', allow } where allow says which requests may",
    ],
    [
      { header: { name: 'x chaos', allow } },
      `chaos.header.name: is "x chaos"; allowed: the name of a header, such as 'x-chaos'`,
    ],
    [
      { header: { name: 'x-chaos', allow: true } },
      'chaos.header.allow: is true; allowed: a function that says true where a request may, a guard, or the class of one',
    ],
    [
      {
        rules: [
          { ...FITS, id: 'a', error: true },
          { ...FITS, id: 'a', hang: true },
        ],
      },
      'chaos.rules[1].id: is "a", as that of another rule; allowed: another one',
    ],
    [
      { header: { name: 'x-chaos', allow: class Strange {} } },
      'chaos.header.allow: is function Strange; allowed: a function that says true',
    ],
  ])('refuses %j', async (chaos, message) => {
    await expect(withChaos(chaos)).rejects.toThrow(message);
  });

  it.each([
    ['Payments.*', 'chaos.rules[0]: is "Payments.*"; allowed: an object with id, operations'],
    [
      { error: true },
      "chaos.rules[0]: says of no operation; allowed: operations: 'PaymentsClient.*', upstream, or both",
    ],
    [FITS, 'chaos.rules[0]: does nothing; allowed: latencyMs, error, hang or result'],
    [
      { ...FITS, error: true, result: 1 },
      'chaos.rules[0]: has error and result, which contradict each other; allowed: one of them',
    ],
    [
      { ...FITS, hang: true, latencyMs: 5 },
      'chaos.rules[0]: has hang and latencyMs, but what hangs never comes; allowed: one of them',
    ],
    [
      { ...FITS, error: true, forMs: 5, until: new Date(9e12) },
      'chaos.rules[0]: has forMs and until; allowed: one of them',
    ],
    [
      { ...FITS, error: true, rate: 10 },
      'chaos.rules[0].rate: is 10; allowed: a share from 0 to 1 (0.1 is every tenth attempt)',
    ],
    [
      { ...FITS, error: true, rate: '0.1' },
      'chaos.rules[0].rate: is "0.1"; allowed: a share from 0 to 1 (0.1 is every tenth attempt); pass the number 0.1',
    ],
    [{ ...FITS, error: true, rate: Number.NaN }, 'chaos.rules[0].rate: is NaN; allowed: a share'],
    [{ ...FITS, error: true, rate: -0.1 }, 'chaos.rules[0].rate: is -0.1; allowed: a share'],
    [
      { ...FITS, error: async () => 1 },
      'chaos.rules[0].error: is function error; allowed: true, or',
    ],
    [
      { ...FITS, error: class Down extends Error {} },
      'chaos.rules[0].error: is function Down; allowed: true, or a function that returns the error at once (no class, and not async): () => new Error()',
    ],
    [{ ...FITS, error: 'down' }, 'chaos.rules[0].error: is "down"; allowed: true, or'],
    [{ ...FITS, hang: false }, 'chaos.rules[0].hang: is false; allowed: true; leave it out'],
    [
      { ...FITS, latencyMs: 0 },
      'chaos.rules[0].latencyMs: is 0; allowed: a number of milliseconds',
    ],
    [{ ...FITS, latencyMs: [5, 1] }, 'chaos.rules[0].latencyMs: is [5, 1]; allowed: a number of'],
    [{ ...FITS, latencyMs: [0, 0] }, 'chaos.rules[0].latencyMs: is [0, 0]; allowed: a number of'],
    [{ ...FITS, latencyMs: [1] }, 'chaos.rules[0].latencyMs: is [1]; allowed: a number of'],
    [
      { ...FITS, latencyMs: [1, Number.POSITIVE_INFINITY] },
      'chaos.rules[0].latencyMs: is [1, Infinity]; allowed: a number of',
    ],
    [{ operations: ' ', error: true }, 'chaos.rules[0].operations: is " "; allowed: a RegExp, or'],
    [{ operations: 7, error: true }, 'chaos.rules[0].operations: is 7; allowed: a RegExp, or'],
    [{ upstream: '', error: true }, 'chaos.rules[0].upstream: is ""; allowed: a non-empty string'],
    [{ ...FITS, error: true, forMs: 0 }, 'chaos.rules[0].forMs: is 0; allowed: a number of'],
    [
      { ...FITS, error: true, until: '2030-01-01' },
      'chaos.rules[0].until: is "2030-01-01"; allowed: a valid Date',
    ],
    [
      { ...FITS, error: true, until: new Date('never') },
      'chaos.rules[0].until: is null; allowed: a valid Date',
    ],
    [{ ...FITS, error: true, id: '' }, 'chaos.rules[0].id: is ""; allowed: a non-empty string'],
    [
      { ...FITS, latency: 5 },
      'chaos.rules[0].latency: there is no such option; known: id, operations, upstream, rate, latencyMs',
    ],
  ])('refuses the rule %j', async (rule, message) => {
    await expect(withRule(rule)).rejects.toThrow(message);
  });

  it('refuses wrong rules at run time in the same way', async () => {
    const { app } = await withChaos({});
    const add = (rule: unknown) => () => app.get(Chaos).add(rule as never);
    expect(add({ ...FITS })).toThrow('Chaos.add(): does nothing; allowed: latencyMs');
    expect(add({ ...FITS, error: true, rate: 2 })).toThrow('Chaos.add().rate: is 2; allowed');
  });

  it('warns at boot that chaos is on, whatever else is logged', async () => {
    const rules = [
      { ...FITS, rate: 0.1, error: true as const },
      { id: 'slow', upstream: 'bank', operations: /^P/, latencyMs: [1, 5] as const },
    ];
    const header = { name: 'x-chaos', allow };
    const { logger } = await boot(
      { providers: [Payments] },
      { bootLog: 'none', chaos: { rules, header } },
    );
    expect(logger.warnings()).toContain(
      'Chaos is on: chaos-1 (Payments.charge: error at 10 % of the attempts); slow (/^P/, upstream bank: latency 1–5 ms at 100 % of the attempts); what requests ask for by the header x-chaos',
    );
  });

  it('warns at boot of a rule whose end has passed, which may not be added any more', async () => {
    const rule = { ...FITS, error: true as const, until: new Date(0) };
    const { app, logger } = await withChaos({ rules: [{ ...rule, id: 'old' }] });
    expect(logger.warnings()).toBe(
      'chaos: the rule "old" does nothing, since its end, 1970-01-01T00:00:00.000Z, has passed',
    );
    expect(() => app.get(Chaos).add(rule)).toThrow(
      'Chaos.add().until: is 1970-01-01T00:00:00.000Z, which has passed; allowed: a Date to come',
    );
    expect(app.get(Chaos).list()).toEqual([]);
  });

  it('says nothing at boot where there is no rule', async () => {
    const { logger } = await withChaos({});
    expect(logger.warnings()).toBe('');
  });

  it('warns at boot of a rule that fits no operation', async () => {
    const { logger } = await withRule({ operations: 'Payment.charge', error: true });
    expect(logger.warnings()).toContain(
      'chaos: the rule "chaos-1" fits no operation (Payment.charge); there are: Payments.charge; did you mean Payments.charge?',
    );
  });
});

describe('In production', () => {
  const PROBLEM =
    'chaos: NODE_ENV is production; allowed: no chaos there, or chaos: { allowInProduction: true } where it is meant';

  it.each([{}, { rules: [] }, { rules: [{ ...FITS, error: true }] }, { allowInProduction: false }])(
    'an application does not start with chaos %j',
    async (chaos) => {
      process.env.NODE_ENV = 'production';
      await expect(withChaos(chaos)).rejects.toThrow(PROBLEM);
    },
  );

  it('nor where forRootAsync() gives it', async () => {
    process.env.NODE_ENV = 'production';
    const imports = [ResilienceModule.forRootAsync({ useFactory: () => ({ chaos: {} }) })];
    await expect(bootBare({ imports })).rejects.toThrow(PROBLEM);
  });

  it('it starts where chaos is allowed, and no rule is added where it is not', async () => {
    process.env.NODE_ENV = 'production';
    const { app } = await withChaos({ allowInProduction: true });
    const chaos = app.get(Chaos);
    chaos.add({ ...FITS, error: true });
    await expect(app.get(Payments).charge()).rejects.toThrow('Injected');
    process.env.NODE_ENV = 'test';
    const { app: other } = await withChaos({});
    process.env.NODE_ENV = 'production';
    expect(() => other.get(Chaos).add({ ...FITS, error: true })).toThrow(
      'Chaos.add(): NODE_ENV is production; allowed',
    );
  });

  it('it starts without chaos', async () => {
    process.env.NODE_ENV = 'production';
    const { app } = await withChaos(undefined);
    expect(await app.get(Payments).charge()).toBe('charged');
  });
});
