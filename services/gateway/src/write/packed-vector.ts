import type { VectorValue } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { wrongValue } from '../json/shape.ts';

type Encoding = VectorValue['encoding'];

/** The values of a vector message of any element, widened to f32; undefined where it has none. */
export function floatsOfVector({ encoding }: VectorValue, path: string): Float32Array<ArrayBuffer> | undefined {
  const size = sizeOf(encoding);
  if (encoding.case === undefined || size === undefined) return undefined;
  const bytes = new Uint8Array(encoding.value); // lies anywhere
  if (bytes.length % size !== 0) {
    throw wrongValue(path, `the vector is not a whole number of ${size}-byte values`, { bytes: bytes.length });
  }
  switch (encoding.case) {
    case 'f32':
      return new Float32Array(bytes.buffer);
    case 'f16':
      return new Float32Array(new Float16Array(bytes.buffer));
    case 'i8':
      return new Float32Array(new Int8Array(bytes.buffer));
  }
}

function sizeOf(encoding: Encoding): number | undefined {
  switch (encoding.case) {
    case 'f32':
      return 4;
    case 'f16':
      return 2;
    case 'i8':
      return 1;
    case undefined:
      return undefined;
  }
}
