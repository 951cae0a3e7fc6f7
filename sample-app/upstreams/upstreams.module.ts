import { type DynamicModule, Module } from '@nestjs/common';
import { UpstreamsController } from './upstreams.controller.js';
import { Upstreams } from './upstreams.js';

/** The switchboard beside a shop whose process has the upstreams, too. */
@Module({ controllers: [UpstreamsController] })
export class UpstreamsModule {
  static with(upstreams: Upstreams): DynamicModule {
    return { module: UpstreamsModule, providers: [{ provide: Upstreams, useValue: upstreams }] };
  }
}
