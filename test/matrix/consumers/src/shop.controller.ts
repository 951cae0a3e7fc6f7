import { Controller, Get, Headers, Inject, Param } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Retry } from 'nestjs-bulwark';
import { defer, Observable } from 'rxjs';
import {
  CartService,
  Courier,
  PartnerService,
  PriceList,
  StockService,
  SupplierService,
} from './services.js';
import { Unreliable } from './unreliable.js';

/** Each answers after two attempts that fail, whatever made the object that is asked. */
@Controller('attempts')
export class AttemptsController {
  private readonly own = new Unreliable();
  private readonly streamed = new Unreliable();

  constructor(
    private readonly stock: StockService,
    private readonly courier: Courier,
    private readonly prices: PriceList,
    private readonly lazyModules: LazyModuleLoader,
  ) {}

  @Get('singleton')
  singleton() {
    return this.stock.count();
  }

  @Get('transient')
  transient() {
    return this.courier.call();
  }

  @Get('factory')
  factory() {
    return this.prices.read();
  }

  @Get('lazy')
  async lazy() {
    return (await this.reports()).newest();
  }

  @Get('lazy-factory')
  async lazyFactory() {
    return (await this.reports()).prices.read();
  }

  @Get('handler')
  @Retry('patient')
  async handler() {
    return this.own.ask();
  }

  @Get('observable')
  @Retry('patient')
  observable(): Observable<unknown> {
    return defer(() => this.streamed.ask());
  }

  private async reports() {
    const { ReportsModule, ReportsService } = await import('./reports.module.js');
    const reports = await this.lazyModules.load(() => ReportsModule);
    return reports.get(ReportsService);
  }
}

/** Made anew for each request, as what it has injected is. */
@Controller('attempts')
export class RequestController {
  constructor(
    private readonly cart: CartService,
    @Inject('PRICES_OF_REQUEST') private readonly prices: PriceList,
  ) {}

  @Get('request')
  request() {
    return this.cart.load();
  }

  @Get('request-factory')
  requestFactory() {
    return this.prices.read();
  }
}

@Controller('supplier')
export class SupplierController {
  constructor(private readonly supplier: SupplierService) {}

  @Get()
  order() {
    return this.supplier.order();
  }

  @Get('delivery/:article')
  delivery(@Param('article') article: string) {
    return this.supplier.deliveryDays(article);
  }
}

/** The partner is this application itself. */
@Controller('partner')
export class PartnerController {
  constructor(private readonly partner: PartnerService) {}

  @Get()
  deadline(@Headers('host') host: string) {
    return this.partner.ask(`http://${host}/deadline`);
  }
}
