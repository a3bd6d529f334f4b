/** Whole numbers from 0 to `below` - 1. */
export type RandomInteger = (below: number) => number;

/**
 * A small generator of random numbers with a seed, so that a run can be repeated: xorshift32 (Marsaglia, "Xorshift RNGs",
 * 2003), seeded through the finaliser of MurmurHash3 because neighbouring seeds must not give neighbouring numbers.
 */
export function seededRandom(seed: number): RandomInteger {
  let state = mix(seed) || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

function mix(seed: number): number {
  let bits = (seed ^ 0x9e3779b9) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
