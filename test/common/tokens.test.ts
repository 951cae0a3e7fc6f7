import { Injectable } from '@nestjs/common';
import { requestedTokens } from '../../lib/common/tokens.js';
import {
  Bulkhead,
  CircuitBreaker,
  type CircuitBreakerPolicy,
  getCircuitBreakerToken,
} from '../../lib/index.js';
import { boot, closeAll } from '../binding/support.js';

afterEach(closeAll);

describe('The tokens that a process has asked for', () => {
  it('do not grow by the policies of its applications, which every later one would look for', async () => {
    @Injectable()
    class Service {
      @CircuitBreaker({})
      @Bulkhead({})
      async run(): Promise<void> {}
    }
    const { app } = await boot(
      { providers: [Service] },
      { breakers: { db: {} }, bulkheads: { db: {} }, services: { geo: { circuitBreaker: {} } } },
    );
    expect(requestedTokens()).toEqual([]);
    const token = getCircuitBreakerToken('Service.run');
    expect(app.get<CircuitBreakerPolicy>(token).name).toBe('Service.run');
    expect(requestedTokens()).toHaveLength(1);
  });
});
