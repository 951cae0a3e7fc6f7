import { BadGatewayException, Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import axios from 'axios';
import { Bulkhead, CircuitBreaker, Fallback, Resilience, Retry, Timeout } from 'nestjs-bulwark';
import { resilientAxios } from 'nestjs-bulwark/axios';
import { type Answer, Unreliable } from './unreliable.js';

@Injectable()
export class StockService {
  private readonly warehouse = new Unreliable();

  @Retry('patient')
  @Timeout('warehouse.client')
  @Bulkhead('warehouse')
  async count(): Promise<Answer> {
    return this.warehouse.ask();
  }
}

@Injectable({ scope: Scope.REQUEST })
export class CartService {
  private readonly store = new Unreliable();

  constructor(@Inject(REQUEST) private readonly request: { url?: string } | undefined) {}

  @Retry('patient')
  async load(): Promise<Answer & { url?: string }> {
    return { ...(await this.store.ask()), url: this.request?.url };
  }
}

@Injectable({ scope: Scope.TRANSIENT })
export class Courier {
  private readonly office = new Unreliable();

  @Retry('patient')
  async call(): Promise<Answer> {
    return this.office.ask();
  }
}

/** Made by factories: not injectable itself. */
@Resilience('prices')
export class PriceList {
  private readonly source = new Unreliable();

  async read(): Promise<Answer> {
    return this.source.ask();
  }
}

@Injectable()
export class PartnerService {
  private readonly partner = resilientAxios(axios.create());

  @Timeout(10_000)
  async ask(url: string): Promise<unknown> {
    return (await this.partner.get(url)).data;
  }
}

@Injectable()
export class SupplierService {
  @CircuitBreaker('supplier')
  async order(): Promise<void> {
    throw new BadGatewayException('The supplier does not answer');
  }

  @Fallback('guess')
  async deliveryDays(article: string): Promise<{ days: number; article: string }> {
    throw new BadGatewayException(`Nobody knows when ${article} comes`);
  }

  guess(article: string) {
    return { days: 14, article };
  }
}
