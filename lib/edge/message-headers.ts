import type { ArgumentsHost } from '@nestjs/common';

/** What Nest's contexts of messages have, each of its transport. */
interface MessageContext {
  /** Of TCP and Redis, from Nest 12 on. */
  getMetadata?: () => unknown;
  /** Of NATS. */
  getHeaders?: () => unknown;
  /** Of RMQ and Kafka. */
  getMessage?: () => { properties?: { headers?: unknown }; headers?: unknown } | undefined;
}

/** By the data of each packet that a `resilientDeserializer()` has read. */
const metadataOf = new WeakMap<object, unknown>();

/** What is told beside the data of a message: its headers, or the packet's metadata. */
export function headersOfMessage(host: ArgumentsHost): unknown {
  const rpc = host.switchToRpc();
  const context = rpc.getContext<MessageContext | undefined>();
  const message = context?.getMessage?.();
  return (
    context?.getMetadata?.() ??
    context?.getHeaders?.() ??
    message?.properties?.headers ??
    message?.headers ??
    metadataOf.get(Object(rpc.getData()))
  );
}

/** What is needed of a deserializer of `@nestjs/microservices`. */
export interface MessageDeserializer {
  /** Reads a message that came in, as Nest asks it to. */
  // biome-ignore lint/suspicious/noExplicitAny: as Nest declares it
  deserialize(value: any, options?: Record<string, any>): any;
}

/** As Nest's own does: what is no packet of Nest's is the data of one. */
const NEST: MessageDeserializer = {
  deserialize(value, options) {
    const { pattern, data } = Object(value) as { pattern?: unknown; data?: unknown };
    if (pattern !== undefined || data !== undefined) return value;
    return { pattern: options?.channel, data: options && value };
  },
};

/**
 * A deserializer for servers whose Nest does not hand on the metadata of packets, by which a
 * `resilientClient()` tells deadlines and criticality: over TCP and Redis those of Nest 11, over MQTT all. It
 * is heeded where the data of the message is an object.
 *
 * @param deserializer the one that it does its work by; by default one like Nest's own
 * @example
 * app.connectMicroservice({
 *   transport: Transport.TCP,
 *   options: { deserializer: resilientDeserializer() },
 * });
 */
export function resilientDeserializer(
  deserializer: MessageDeserializer = NEST,
): MessageDeserializer {
  return {
    deserialize(value, options) {
      const packet: unknown = deserializer.deserialize(value, options);
      return packet instanceof Promise ? packet.then(remembered) : remembered(packet);
    },
  };
}

function remembered(packet: unknown): unknown {
  const { data, metadata } = Object(packet) as { data?: unknown; metadata?: unknown };
  if (typeof data === 'object' && data !== null) metadataOf.set(data, metadata);
  return packet;
}
