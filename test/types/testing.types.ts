/** What compiles of the names of methods in tests, and what does not: checked by `npm run typecheck`. */
import type { TestingModule } from '@nestjs/testing';
import { expectCalls } from '../../lib/testing/index.js';

class Payments {
  async charge(): Promise<void> {}
}

export function calls(moduleRef: TestingModule): void {
  expectCalls(moduleRef.get(Payments), 'charge').toHave({ calls: 1 });
  expectCalls(new Payments(), 'charge').toHave({ calls: 1 });
  expectCalls(Payments, 'charge').toHave({ calls: 1 });
  expectCalls('a bundle').toHave({ calls: 1 });
  // @ts-expect-error misspelt
  expectCalls(moduleRef.get(Payments), 'chrage');
  // @ts-expect-error misspelt
  expectCalls(new Payments(), 'chrage');
  // @ts-expect-error misspelt
  expectCalls(Payments, 'chrage');
}
