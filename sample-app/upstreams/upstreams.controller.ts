import {
  BadRequestException,
  Body,
  Controller,
  Get,
  NotFoundException,
  Param,
  Put,
} from '@nestjs/common';
import { FAULTS, type Fault } from './fault.js';
import { UPSTREAM_NAMES, type UpstreamName, Upstreams } from './upstreams.js';

/** The switchboard of the sample: what is wrong with whom. */
@Controller('upstreams')
export class UpstreamsController {
  constructor(private readonly upstreams: Upstreams) {}

  @Get()
  list() {
    return Object.entries(this.upstreams.services).map(([name, { fault, calls }]) => ({
      name,
      fault,
      calls,
    }));
  }

  @Put(':name/fault')
  async setFault(@Param('name') name: string, @Body() body?: { fault?: string }) {
    if (!isOneOf(UPSTREAM_NAMES, name)) {
      throw new NotFoundException(`Upstreams: ${UPSTREAM_NAMES.join(', ')}`);
    }
    const fault = body?.fault;
    if (!isOneOf(FAULTS, fault)) {
      throw new BadRequestException(`Faults: ${FAULTS.join(', ')}`);
    }
    await this.upstreams.services[name].setFault(fault);
    return { name, fault };
  }
}

function isOneOf<T extends UpstreamName | Fault>(known: readonly T[], value: unknown): value is T {
  return (known as readonly unknown[]).includes(value);
}
