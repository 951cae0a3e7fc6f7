import { ask, type Example, killExamples, post, startExample } from './start-example.js';

afterEach(killExamples);

const query = async ({ url }: Example, query: string) =>
  (await ask(`${url}/graphql`, post({ query }))).body;

describe('The example of GraphQL', () => {
  it('answers what can be had, with null in the place of prices that fail', async () => {
    const example = await startExample('graphql');
    const products = '{ products { sku price { cents } } }';
    const answer = (price: unknown) => ({
      data: { products: ['tea', 'coffee'].map((sku) => ({ sku, price })) },
    });
    expect(await query(example, products)).toEqual(answer({ cents: 450 }));
    await example.upstream('unavailable');
    expect(await query(example, products)).toEqual(answer(null));
  });

  it('charges once what it has to ask for three times, and says by a code that its breaker is open', async () => {
    const example = await startExample('graphql');
    await example.upstream('cut/2');
    expect(await query(example, 'mutation { order(id: 7) }')).toEqual({
      data: { order: 'charged' },
    });
    expect(await example.upstream('unavailable')).toMatchObject({ calls: 3, charges: 1 });
    await query(example, 'mutation { order(id: 8) }');
    expect(await query(example, 'mutation { order(id: 8) }')).toMatchObject({
      errors: [{ extensions: { code: 'CIRCUIT_OPEN' } }],
    });
  });
});
