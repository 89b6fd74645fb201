import {
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { invalidArgument, LagoonError, unimplemented } from '@lagoon/base';

/** Bound on one message, either way, in bytes. */
export const messageBytesMaxDefault = 64 * 1024 * 1024;

/**
 * A protobuf-es service as grpc-js wants it. The handlers see bytes: encoding and decoding are ours, because what a
 * serialiser throws inside grpc-js loses its code.
 */
export function toServiceDefinition(desc: DescService): ServiceDefinition {
  const definition: Record<string, ServiceDefinition[string]> = {};
  for (const method of desc.methods) {
    definition[method.localName] = {
      path: methodPath(method),
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    };
  }
  return definition;
}

export function methodPath(method: { readonly parent: DescService; readonly name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

export function unaryMethods(desc: DescService): readonly DescMethodUnary[] {
  return desc.methods.map((method) => {
    if (!isUnary(method)) throw unimplemented(`streaming method ${method.name}`);
    return method;
  });
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === 'unary';
}

export function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}

/** Past the bound: `invalid_argument` with reason `too_large`. */
export function encodeRequest(schema: DescMessage, message: Message, bytesMax: number): Buffer {
  let bytes: Uint8Array;
  try {
    bytes = toBinary(schema, message);
  } catch (error) {
    throw new LagoonError('invalid_argument', 'request cannot be encoded', {
      cause: error,
      context: { message: schema.typeName, detail: error instanceof Error ? error.message : String(error) },
    });
  }
  if (bytes.byteLength > bytesMax) {
    throw new LagoonError('invalid_argument', 'request is too large', {
      reason: 'too_large',
      context: { message: schema.typeName, size: bytes.byteLength, bytesMax },
    });
  }
  return viewOf(bytes);
}

/** Past the bound: `resource_exhausted`, the caller has to ask for less. */
export function encodeResponse(schema: DescMessage, message: Message, bytesMax: number): Buffer {
  const bytes = toBinary(schema, message);
  if (bytes.byteLength > bytesMax) {
    throw new LagoonError('resource_exhausted', 'response is too large', {
      context: { message: schema.typeName, size: bytes.byteLength, bytesMax },
    });
  }
  return viewOf(bytes);
}

/** `bytes` fields of the message are views of the input, not copies. */
export function decodeRequest(schema: DescMessage, bytes: Buffer): Message {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw invalidArgument('request cannot be decoded', { message: schema.typeName });
  }
}

export function decodeResponse(schema: DescMessage, bytes: Buffer): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new LagoonError('internal', 'response cannot be decoded', {
      cause: error,
      context: { message: schema.typeName },
    });
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
