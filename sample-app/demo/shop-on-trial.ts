import type { DynamicModule, INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { UPSTREAM_NAMES, type UpstreamName, Upstreams } from '../upstreams/upstreams.js';
import { type RequestKind, visit } from './customer.js';
import type { Phase } from './script.js';
import { Tally } from './tally.js';

/** A shop with upstreams of its own, on real sockets, and the record of how it served. */
export class ShopOnTrial {
  readonly tally = new Tally();
  /** When each upstream that was broken became well again. */
  readonly healedAt = new Map<UpstreamName, number>();

  private constructor(
    readonly label: string,
    readonly upstreams: Upstreams,
    private readonly app: INestApplication,
    readonly url: string,
  ) {}

  static async open(
    label: string,
    moduleFor: (upstreams: Upstreams) => DynamicModule,
  ): Promise<ShopOnTrial> {
    const upstreams = await Upstreams.start();
    // Silent: the unprotected shop would log a stack for every order that it loses.
    const app = await NestFactory.create(moduleFor(upstreams), {
      logger: false,
      forceCloseConnections: true,
    });
    await app.listen(0, '127.0.0.1');
    return new ShopOnTrial(label, upstreams, app, await app.getUrl());
  }

  async enter({ faults }: Phase): Promise<void> {
    const { services } = this.upstreams;
    const healed = UPSTREAM_NAMES.filter(
      (name) => services[name].fault !== 'none' && faults[name] === undefined,
    );
    await this.upstreams.setFaults(faults);
    for (const name of healed) this.healedAt.set(name, performance.now());
  }

  async serve(kind: RequestKind, productId: string): Promise<void> {
    const askedAt = performance.now();
    const answer = await visit(this.url, kind, productId);
    this.tally.add(kind, answer, performance.now() - askedAt);
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.upstreams.close();
  }
}
