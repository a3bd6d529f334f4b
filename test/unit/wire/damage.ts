import { SkaldError } from '../../../shared/errors.ts';

/** Calls `look` for each bit of bytes[start, end), flipped; the bytes are whole again afterwards. */
export async function forEachFlippedBit(
  bytes: Buffer,
  start: number,
  end: number,
  look: (byte: number, bit: number) => Promise<void> | void,
): Promise<void> {
  for (let byte = start; byte < end; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      bytes[byte]! ^= 1 << bit;
      await look(byte, bit);
      bytes[byte]! ^= 1 << bit;
    }
  }
}

/**
 * The code of the SkaldError that `run` ends in, or "accepted"; anything else that is thrown is a crash and
 * goes on.
 */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'accepted';
  } catch (error) {
    if (error instanceof SkaldError) return error.code;
    throw error;
  }
}
