import { Injectable, Module } from '@nestjs/common';
import { Retry } from 'nestjs-bulwark';
import { PriceList } from './services.js';
import { type Answer, Unreliable } from './unreliable.js';

@Injectable()
export class ReportsService {
  private readonly archive = new Unreliable();

  constructor(readonly prices: PriceList) {}

  @Retry('patient')
  async newest(): Promise<Answer> {
    return this.archive.ask();
  }
}

/** Loaded when somebody asks for it. */
@Module({
  providers: [ReportsService, { provide: PriceList, useFactory: () => new PriceList() }],
})
export class ReportsModule {}
