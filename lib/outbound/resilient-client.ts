import { Observable } from 'rxjs';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { REQUEST_TIMEOUT, REQUEST_TIMEOUT_ORIGIN } from '../common/request-headers.js';
import { currentSignal } from '../context/ambient.js';
import { outboundHeaders } from './outbound-headers.js';

/** What is needed of a `ClientProxy` of `@nestjs/microservices`. */
export interface MessageClient {
  /** Sends a message, and gives its answers. */
  // biome-ignore lint/suspicious/noExplicitAny: as Nest declares it
  send(pattern: any, data: any): Observable<any>;
  /** Sends an event, which nobody answers. */
  // biome-ignore lint/suspicious/noExplicitAny: as Nest declares it
  emit(pattern: any, data: any): Observable<any>;
}

/** How Nest's clients work inside, of every transport but gRPC. */
interface Internals extends MessageClient {
  serializer?: Serializer;
  /** Sends what an answer is waited for; with RMQ, NATS and Kafka it is serialized before this returns. */
  publish(packet: unknown, onAnswer: unknown): () => void;
  /** Sends what none is waited for. */
  dispatchEvent(packet: unknown): Promise<unknown>;
  /** Those of RMQ and NATS add the `headers` of their options to each message. */
  mergeHeaders?: unknown;
  options?: { headers?: Headers };
  /** Only that of Kafka has it. */
  emitBatch?: unknown;
}

interface Serializer {
  serialize(value: unknown, options?: unknown): unknown;
}

type Headers = Record<string, unknown>;

const resilient = new WeakSet<object>();

/**
 * Makes messages part of the resilient call, or the request, that they are sent in:
 *
 * - `send()` ends when the attempt around it does (`currentSignal()`), by its reason, and does not send what
 *   nobody waits for any more;
 * - messages tell what `outboundHeaders()` says: in the headers of RMQ, NATS and Kafka, and with other
 *   transports in the packet's `metadata`. Headers of the same name in a record win. Nobody waits for what is
 *   sent by `emit()`, so that has no deadline;
 * - on RMQ, a request that is still in its queue at the deadline expires there.
 *
 * A service with this library reads them by itself: it does not begin what comes too late, ends at the deadline,
 * and tells by its error what was retried to the end already. Others ignore them.
 *
 * Installed once for each client, however often it is called.
 *
 * @param client a `ClientProxy`, but none of gRPC, whose calls take `outboundCallOptions()`
 * @returns `client` itself
 * @throws ResilienceConfigurationError where it is none
 * @example
 * class Billing {
 *   private readonly billing: ClientProxy;
 *   constructor(@Inject('BILLING') billing: ClientProxy) {
 *     this.billing = resilientClient(billing);
 *   }
 * }
 */
export function resilientClient<C extends MessageClient>(client: C): C {
  const internals = client as unknown as Internals | null | undefined;
  const serializer = internals?.serializer;
  if (typeof serializer?.serialize !== 'function' || typeof internals?.publish !== 'function')
    throw new ResilienceConfigurationError(
      'resilientClient()',
      'what it is given is no ClientProxy that serializes messages; with gRPC, pass outboundHeaders() and outboundCallOptions() to each call; in a test, stub send() of a real one, ClientProxyFactory.create({})',
    );
  if (resilient.has(internals)) return client;
  resilient.add(internals);
  install(internals, serializer);
  return client;
}

function install(client: Internals, serializer: Serializer): void {
  const { send } = client;
  client.send = (pattern, data) => untilAbort(send.call(client, pattern, data));
  if (typeof client.mergeHeaders === 'function' || typeof client.emitBatch === 'function')
    installHeaders(client, serializer);
  else installMetadata(client);
}

function installHeaders(client: Internals, serializer: Serializer): void {
  const { publish, mergeHeaders, options } = client;
  let isAwaited = false;
  const headers = () => (isAwaited ? outboundHeaders() : headersOfEvent());
  client.publish = (packet, onAnswer) => {
    isAwaited = true;
    try {
      return publish.call(client, packet, onAnswer);
    } finally {
      isAwaited = false;
    }
  };
  const serialize = (value: unknown, given: unknown) => serializer.serialize(value, given);
  if (typeof mergeHeaders === 'function') {
    client.options = withLiveHeaders(options, headers);
    client.serializer = {
      serialize: (packet, given) => expiring(serialize(packet, given), headers()[REQUEST_TIMEOUT]),
    };
  } else {
    client.serializer = {
      serialize: (message, given) => withHeaders(serialize(message, given), headers()),
    };
  }
}

/** Some serialize a packet only when their broker has answered, in whatever call that comes. */
function installMetadata(client: Internals): void {
  const { publish, dispatchEvent } = client;
  client.publish = (packet, onAnswer) =>
    publish.call(client, withMetadata(packet, outboundHeaders()), onAnswer);
  client.dispatchEvent = (packet) =>
    dispatchEvent.call(client, withMetadata(packet, headersOfEvent()));
}

/** It ends by the reason of the attempt around it, and with that stops waiting for the answer. */
function untilAbort<T>(answer: Observable<T>): Observable<T> {
  return new Observable((subscriber) => {
    const signal = currentSignal();
    const end = () => subscriber.error(signal.reason);
    if (signal.aborted) {
      end();
      return;
    }
    signal.addEventListener('abort', end);
    subscriber.add(() => signal.removeEventListener('abort', end));
    answer.subscribe(subscriber);
  });
}

function headersOfEvent(): Record<string, string> {
  const {
    [REQUEST_TIMEOUT]: _timeout,
    [REQUEST_TIMEOUT_ORIGIN]: _origin,
    ...headers
  } = outboundHeaders();
  return headers;
}

/** The client's own options, whose headers are asked for anew by each message. */
function withLiveHeaders(
  options: Internals['options'],
  headers: () => Headers,
): NonNullable<Internals['options']> {
  return {
    ...options,
    get headers() {
      return { ...headers(), ...options?.headers };
    },
  };
}

/** RMQ takes options of a message from its serializer, and NATS takes none. */
function expiring(serialized: unknown, timeoutMs: string | undefined): unknown {
  if (timeoutMs === undefined) return serialized;
  const packet = serialized as { options?: object };
  return { ...packet, options: { expiration: timeoutMs, ...packet.options } };
}

/** A serializer of Kafka may ask a registry for a schema. */
function withHeaders(serialized: unknown, headers: Headers): unknown {
  if (serialized instanceof Promise) return serialized.then((it) => withHeaders(it, headers));
  const message = serialized as { headers?: Headers };
  return { ...message, headers: { ...headers, ...message.headers } };
}

function withMetadata(packet: unknown, metadata: Headers): unknown {
  if (Object.keys(metadata).length === 0) return packet;
  const { metadata: own } = packet as { metadata?: Headers };
  return { ...(packet as object), metadata: { ...metadata, ...own } };
}
