import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import {
  All,
  Controller,
  Get,
  Head,
  Ip,
  Next,
  Options,
  Param,
  Post,
  Put,
  RawBody,
  Res,
  SetMetadata,
  Sse,
} from '@nestjs/common';
import {
  Mutation,
  Query,
  ResolveField,
  ResolveReference,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { EventPattern, GrpcMethod, GrpcStreamMethod, MessagePattern } from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { of } from 'rxjs';
import {
  answersByPromise,
  isGatewayClass,
  isHandler,
  isHandlerClass,
  safetyOf,
  sendsEvents,
  sendsOwnResponse,
  transportOfHandler,
} from '../../lib/nest/handlers.js';

const string = () => String;

class Handlers {
  @Get('a') get() {}
  @Head() head() {}
  @Options() options() {}
  @Post() post() {}
  @Put() put() {}
  @All() all() {}
  @Sse() events() {
    return of({ data: 1 });
  }
  @Query(string) query() {}
  @Mutation(string) mutation() {}
  @Subscription(string) subscription() {}
  @ResolveField(string) field() {}
  @ResolveReference() reference() {}
  @SubscribeMessage('m') message() {}
  @MessagePattern('m') pattern() {}
  @EventPattern('e') event(_data: unknown) {}
  @MessagePattern({ rpc: 'by hand' }) likeGrpc() {}
  @MessagePattern({ service: 'by hand' }) likeGrpcToo() {}
  @MessagePattern() withoutPattern() {}
  @MessagePattern(null as never) withNull() {}
  @MessagePattern(['m', { service: 'Service', rpc: 'find' }]) grpcToo() {}
  @GrpcMethod('Service', 'grpc') grpc() {}
  @GrpcStreamMethod('Service', 'grpcStream') grpcStream() {}
  @Get() @MessagePattern('m') both() {}
  @Get() @Query(string) twice() {}
  @Post() @MessagePattern('m') write() {}
  @SetMetadata('path', 'of something else') path() {}
  @SetMetadata('method', 0) method() {}
  none() {}
}

type Key = keyof Handlers;

describe('What transport calls a handler is read off its decorators', () => {
  it.each<[Key, string | undefined]>([
    ['get', 'http'],
    ['all', 'http'],
    ['events', 'http'],
    ['query', 'graphql'],
    ['mutation', 'graphql'],
    ['subscription', 'graphql'],
    ['field', 'graphql'],
    ['reference', 'graphql'],
    ['message', 'ws'],
    ['pattern', 'rpc'],
    ['event', 'rpc'],
    ['likeGrpc', 'rpc'],
    ['likeGrpcToo', 'rpc'],
    ['withoutPattern', 'rpc'],
    ['withNull', 'rpc'],
    ['grpcToo', 'grpc'],
    ['grpc', 'grpc'],
    ['grpcStream', 'grpc'],
    ['path', undefined],
    ['method', undefined],
    ['none', undefined],
  ])('of %s: %s', (key, transport) => {
    expect(transportOfHandler(Handlers.prototype[key])).toBe(transport);
    expect(isHandler(Handlers.prototype[key])).toBe(transport !== undefined);
  });
});

describe('Whether a handler can be repeated without harm', () => {
  it.each<[Key, string]>([
    ['get', 'safe'],
    ['head', 'safe'],
    ['options', 'safe'],
    ['events', 'safe'],
    ['query', 'safe'],
    ['twice', 'safe'],
    ['post', 'unsafe'],
    ['put', 'unsafe'],
    ['mutation', 'unsafe'],
    ['message', 'unsafe'],
    ['pattern', 'unsafe'],
    ['event', 'unsafe'],
    ['write', 'unsafe'],
    ['all', 'by-call'],
    ['field', 'by-call'],
    ['reference', 'by-call'],
    ['both', 'by-call'],
  ])('is known of %s: %s', (key, safety) => {
    expect(safetyOf(Handlers.prototype[key])).toBe(safety);
  });
});

describe('A class of handlers', () => {
  @Controller()
  class Routes {}
  @Resolver()
  class Fields {}
  @WebSocketGateway()
  class Gateway {}

  it('is a controller, a resolver or a gateway', () => {
    expect([Routes, Fields, Gateway, Handlers].map(isHandlerClass)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect([Routes, Fields, Gateway, Handlers].map(isGatewayClass)).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });
});

describe('A route', () => {
  class Routes {
    @Get() sent(@Res() _response: unknown) {}
    @Get() passed(@Next() _next: unknown) {}
    @Get() through(@Res({ passthrough: true }) _response: unknown) {}
    @Get() plain(@Param('id') _id: string, @Ip() _ip: string, @RawBody() _body: unknown) {}
    @Get() bare() {}
    @Sse() events() {
      return of({ data: 1 });
    }
    @SetMetadata('any', 1) declared(): Promise<void> {
      return Promise.resolve();
    }
    async asynchronous() {}
  }

  it('sends its response itself where it takes it, or what comes next, and does not pass it through', () => {
    const keys = ['sent', 'passed', 'through', 'plain', 'bare'] as const;
    expect(keys.map((key) => sendsOwnResponse(Routes, key))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('sends events where it is an @Sse() one, however often that is asked', () => {
    for (let time = 1; time <= 2; time++) {
      expect(sendsEvents(Routes.prototype.events)).toBe(true);
      expect(sendsEvents(Routes.prototype.plain)).toBe(false);
    }
  });

  it('answers by a Promise where it is async, or declared to', () => {
    expect(answersByPromise(Routes, Routes.prototype.declared)).toBe(true);
    expect(answersByPromise(Routes, Routes.prototype.asynchronous)).toBe(true);
    expect(answersByPromise(Routes, Routes.prototype.events)).toBe(false);
    expect(answersByPromise(Routes, Routes.prototype.plain)).toBe(false);
  });
});
