import { randomFillSync } from 'node:crypto';

/** Randomness as a dependency: the system's in production, a seeded stream in tests and simulations. */
export interface Random {
  /** Fills and returns the array. */
  fill(bytes: Uint8Array): Uint8Array;
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
}

/** The only place in Lagoon that draws real randomness. */
export function createSystemRandom(): Random {
  return fromFill((bytes) => randomFillSync(bytes));
}

/**
 * A reproducible stream: the same seed gives the same draws on every machine.
 * Generator: xoshiro128** seeded by splitmix32 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2018). Not for secrets.
 */
export function createSeededRandom(seed: number): Random {
  const state = new Uint32Array(4);
  let mix = seed >>> 0;
  for (let i = 0; i < 4; i++) {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    state[i] = (z ^ (z >>> 15)) >>> 0;
  }
  const next = (): number => {
    const [s0, s1, s2, s3] = state as unknown as [number, number, number, number];
    const scrambled = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    state[1] = s1 ^ t2;
    state[0] = s0 ^ t3;
    state[2] = t2 ^ (s1 << 9);
    state[3] = rotateLeft(t3, 11);
    return scrambled;
  };
  return fromFill((bytes) => {
    for (let i = 0; i < bytes.length; i += 4) {
      const word = next();
      for (let j = i; j < Math.min(i + 4, bytes.length); j++) bytes[j] = (word >>> (8 * (j - i))) & 0xff;
    }
    return bytes;
  });
}

function rotateLeft(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}

function fromFill(fill: (bytes: Uint8Array) => Uint8Array): Random {
  const scratch = new Uint8Array(8);
  const view = new DataView(scratch.buffer);
  const float = () => {
    fill(scratch);
    return (view.getUint32(0, true) * 0x200000 + (view.getUint32(4, true) >>> 11)) / 0x20000000000000;
  };
  return { fill, float, integer: (bound) => Math.floor(float() * bound) };
}
