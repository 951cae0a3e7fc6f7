import {
  BadRequestException,
  HttpException,
  InternalServerErrorException,
  Logger,
  MethodNotAllowedException,
  NotFoundException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { describeError, ResilienceConfigurationError } from '../index.js';
import type { Mount } from './access.options.js';
import type { AdminService } from './admin.service.js';
import type { AdminState } from './admin-state.js';
import { bodyOf } from './body.js';
import { CONTROLS } from './controls.js';
import type { Exchange } from './exchange.js';
import { openApiOf } from './openapi.js';
import { READINGS } from './readings.js';
import { type Asked, type Control, namesIn, type Route, type Told } from './route.js';
import { refuseOtherReaders, refuseOtherSites } from './same-origin.js';
import { nameOf } from './who.js';

/** A route that a request may mean, and what stands in the place of the names in its path. */
interface Found {
  readonly route: Route;
  readonly names: readonly string[];
}

/** Answers what is asked below a path. Who may ask has been decided before. */
export class Api {
  private readonly logger = new Logger('ResilienceAdmin');
  private readonly routes: readonly Route[];

  constructor(private readonly mount: Mount) {
    const described = mount.controls ? [...READINGS, ...CONTROLS] : READINGS;
    const document = openApiOf(described);
    const itself: Route = {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document',
      read: () => document,
    };
    this.routes = [...described, itself];
  }

  /** It never rejects. */
  async answer(exchange: Exchange, service: AdminService): Promise<void> {
    try {
      await this.respond(exchange, service);
    } catch (error) {
      const refusal = this.refusalOf(error);
      exchange.answer(refusal.getStatus(), refusal.getResponse());
    }
  }

  private async respond(exchange: Exchange, service: AdminService): Promise<void> {
    const { state } = service;
    if (state === undefined) throw new ServiceUnavailableException('It is not open now');
    const all = this.find(exchange);
    if (all.length === 0) throw new NotFoundException('There is nothing at this path');
    const method = exchange.request.method === 'HEAD' ? 'GET' : exchange.request.method;
    const found = all.find(({ route }) => route.method === method);
    if (found === undefined) {
      const allow = [...all.map(({ route }) => route.method), 'OPTIONS'].join(', ');
      if (method === 'OPTIONS') exchange.answer(204, undefined, { allow });
      else exchange.answer(405, new MethodNotAllowedException().getResponse(), { allow });
      return;
    }
    const { route, names } = found;
    const asked: Asked = { names, query: (name) => exchange.query(name) };
    if (route.method !== 'GET') {
      await this.control(route, asked, exchange, service, state);
      return;
    }
    refuseOtherReaders(exchange);
    const answer = await route.read(state, asked);
    if (answer === undefined) throw new NotFoundException(route.missing);
    const { instance } = this.mount;
    exchange.answer(200, route.answers === undefined ? answer : { instance, ...answer });
  }

  private async control(
    route: Control,
    asked: Asked,
    exchange: Exchange,
    service: AdminService,
    state: AdminState,
  ): Promise<void> {
    refuseOtherSites(exchange);
    const fleet = this.isForFleet(route, exchange, state);
    const body = route.body === undefined ? undefined : await bodyOf(exchange);
    const by = await nameOf(this.mount.whoIs, exchange.given);
    if (exchange.isAnswered) return; // that it is too late: nobody would be told that it is done
    const told: Told = { ...asked, body, scope: { by, ...(fleet && { fleet }) } };
    const done = await route.act(state, told);
    if (done === undefined) throw new NotFoundException(route.missing);
    if (done.record !== undefined) this.logger.warn({ ...done.record, ...told.scope });
    service.changed$.next();
    const { instance } = this.mount;
    if (done.answer === undefined) exchange.answer(204);
    else exchange.answer(200, { instance, ...done.answer });
  }

  private isForFleet(route: Control, exchange: Exchange, { sources }: AdminState): boolean {
    const scope = exchange.query('scope') ?? 'instance';
    if (scope === 'instance') return false;
    if (scope !== 'fleet' || !route.isForFleet)
      throw new BadRequestException(`scope is instance${route.isForFleet ? ' or fleet' : ''}`);
    if (sources.resilience.fleet() === undefined)
      throw new BadRequestException('There is no fleet');
    return true;
  }

  /** Those of the path that is asked for, whatever their method. */
  private find(exchange: Exchange): Found[] {
    const parts = exchange.behind(this.mount.path).map(decoded);
    return this.routes.flatMap((route) => {
      const names = namesIn(parts, route.path);
      return names === undefined ? [] : { route, names };
    });
  }

  /** What is not meant for who asks is for the log alone. */
  private refusalOf(error: unknown): HttpException {
    if (error instanceof HttpException) return error;
    if (error instanceof ResilienceConfigurationError)
      return new BadRequestException(describeError(error).message); // without secrets
    const { type, message } = describeError(error);
    this.logger.error({ event: 'admin_failed', message: `It failed: ${type}: ${message}` });
    return new InternalServerErrorException();
  }
}

/** @throws BadRequestException */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadRequestException('The path is not encoded as one of a URL is');
  }
}
