/**
 * Log-like text of exactly `bytes` bytes, the same every time: it repeats itself enough to compress and not
 * enough to vanish.
 */
export function sampleText(bytes: number): Buffer {
  const lines: string[] = [];
  let random = 1;
  for (let length = 0; length < bytes; length += lines.at(-1)!.length) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    lines.push(`10.0.${random % 251}.7 "GET /item/${random >>> 8}" ${200 + (random % 5)}\n`);
  }
  return Buffer.from(lines.join('')).subarray(0, bytes);
}

/** Bytes that do not compress, the same every time. */
export function noise(bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  let random = 7;
  for (let i = 0; i < bytes; i++) {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    out[i] = random;
  }
  return out;
}
