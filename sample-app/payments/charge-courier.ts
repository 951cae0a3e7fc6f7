import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CircuitBreakerOpenError } from 'nestjs-bulwark';
import { ChargeQueue } from './charge-queue.js';
import { PaymentsClient } from './payments.client.js';

const PAUSE_MS = 200;

/** Delivers the queued charges in the background as soon as payments takes them again. */
@Injectable()
export class ChargeCourier implements OnModuleInit, OnModuleDestroy {
  private readonly closing = new AbortController();
  private round?: Promise<void>;

  constructor(
    private readonly queue: ChargeQueue,
    private readonly payments: PaymentsClient,
  ) {}

  onModuleInit(): void {
    this.round = this.makeRounds();
  }

  async onModuleDestroy(): Promise<void> {
    this.closing.abort();
    await this.round;
  }

  private async makeRounds(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      const pauseMs = await this.deliver();
      await sleep(pauseMs, undefined, { signal }).catch(() => {}); // only closing cuts it short
    }
  }

  /** Stops at the first failure: payments is still down. Returns how long to leave it alone. */
  private async deliver(): Promise<number> {
    try {
      for (const charge of this.queue.list()) {
        if (this.closing.signal.aborted) break;
        await this.payments.settle(charge);
        this.queue.remove(charge);
      }
      return PAUSE_MS;
    } catch (error) {
      return error instanceof CircuitBreakerOpenError
        ? Math.max(error.retryAfterMs, PAUSE_MS)
        : PAUSE_MS;
    }
  }
}
