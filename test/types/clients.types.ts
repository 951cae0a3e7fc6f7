/** What clients compile with, and what does not: checked by `npm run typecheck`. */
import type { HttpService } from '@nestjs/axios';
import type {
  ClientGrpc,
  ClientProxy,
  IncomingRequestDeserializer,
  TcpOptions,
} from '@nestjs/microservices';
import type { AxiosInstance, AxiosResponse } from 'axios';
import { expectTypeOf } from 'expect-type';
import * as undici from 'undici';
import { resilientAxios } from '../../lib/axios/index.js';
import {
  type HttpAnswer,
  resilientClient,
  resilientDeserializer,
  resilientRequest,
} from '../../lib/index.js';

declare const instance: AxiosInstance;
declare const service: HttpService;
declare const client: ClientProxy;
declare const grpc: ClientGrpc;
declare const deserializer: IncomingRequestDeserializer;

export const request: typeof undici.request = resilientRequest(undici.request);

export function goodUse() {
  expectTypeOf(resilientAxios(instance)).toEqualTypeOf<AxiosInstance>();
  expectTypeOf(resilientAxios(service)).toEqualTypeOf<HttpService>();
  expectTypeOf(resilientAxios(instance).get<string>('/')).toEqualTypeOf<
    Promise<AxiosResponse<string>>
  >();
  expectTypeOf(resilientClient(client)).toEqualTypeOf<ClientProxy>();
  const options: TcpOptions = {
    options: { deserializer: resilientDeserializer(deserializer) },
  };
  expectTypeOf<Response>().toExtend<HttpAnswer>();
  return options;
}

export function misuse() {
  // @ts-expect-error what has no interceptors is no instance of axios
  resilientAxios({ get: () => undefined });
  // @ts-expect-error calls of gRPC take outboundCallOptions()
  resilientClient(grpc);
  // @ts-expect-error fetch answers with a status, not with a statusCode
  resilientRequest(fetch);
}
