import { Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Chaos, type ChaosRuleView } from 'nestjs-bulwark';
import { OUTAGE } from './outage.js';

/** Breaks the calls of the shop rather than what it calls. The dashboard has a button to end it, too. */
@Controller('chaos')
export class ChaosController {
  constructor(private readonly chaos: Chaos) {}

  @Get()
  list(): ChaosRuleView[] {
    return this.chaos.list();
  }

  @Post()
  play(): ChaosRuleView[] {
    this.chaos.stopAll();
    for (const rule of OUTAGE) this.chaos.add(rule);
    return this.chaos.list();
  }

  @Delete()
  @HttpCode(204)
  stop(): void {
    this.chaos.stopAll();
  }
}
