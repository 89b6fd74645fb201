import type { VectorElement } from './schema.ts';

/** Values of vectors as they are stored: f16 and i8 widen when one is read. */
export type VectorValues = Float32Array | Float16Array | Int8Array;

/** Bytes of one value. */
export function vectorElementBytes(element: VectorElement): number {
  switch (element) {
    case 'f32':
      return 4;
    case 'f16':
      return 2;
    case 'i8':
      return 1;
  }
}

/** The values that lie in bytes, in place; their start is a multiple of the size of a value. */
export function vectorValuesOf(element: VectorElement, { buffer, byteOffset, length }: Uint8Array): VectorValues {
  const count = length / vectorElementBytes(element);
  switch (element) {
    case 'f32':
      return new Float32Array(buffer, byteOffset, count);
    case 'f16':
      return new Float16Array(buffer, byteOffset, count);
    case 'i8':
      return new Int8Array(buffer, byteOffset, count);
  }
}

/** What an element holds, for people; undefined where it holds the value. Rounding is to nearest, ties to even. */
export function elementProblem(element: VectorElement, value: number): string | undefined {
  switch (element) {
    case 'f32':
      return Number.isFinite(Math.fround(value)) ? undefined : 'a finite f32';
    case 'f16':
      return Number.isFinite(Math.f16round(value)) ? undefined : 'a number in the range of f16, -65504 to 65504';
    case 'i8':
      return Number.isInteger(value) && value >= -128 && value <= 127 ? undefined : 'an integer from -128 to 127';
  }
}
