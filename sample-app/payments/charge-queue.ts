import { Injectable } from '@nestjs/common';
import type { Charge } from './charge.js';

/** Charges that wait for payments to come back. A real shop keeps them in its database. */
@Injectable()
export class ChargeQueue {
  private readonly waiting = new Map<string, Charge>();

  get size(): number {
    return this.waiting.size;
  }

  add(charge: Charge): void {
    this.waiting.set(charge.orderId, charge);
  }

  /** Oldest first. */
  list(): Charge[] {
    return [...this.waiting.values()];
  }

  remove(charge: Charge): void {
    this.waiting.delete(charge.orderId);
  }
}
