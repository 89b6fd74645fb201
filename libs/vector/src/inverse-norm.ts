/**
 * 1 / ‖values‖, computed in f64 and rounded to f32; 0 for a zero vector, so that its cosine distance to everything is 1.
 * A vector so short (below about 3e-39) that the inverse is not finite in f32 counts as zero.
 */
export function inverseNorm(values: Float32Array | Int8Array): number {
  let squared = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    squared += value * value;
  }
  if (squared === 0) return 0;
  const inverse = Math.fround(1 / Math.sqrt(squared));
  return inverse < Infinity ? inverse : 0;
}
