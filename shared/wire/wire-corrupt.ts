import { SkaldError } from '../errors.ts';

/** A WIRE_CORRUPT that says at which byte of which buffer the reader stopped and what it expected there. */
export function wireCorrupt(byte: number, expected: string): SkaldError {
  return new SkaldError('WIRE_CORRUPT', `damaged at byte ${byte}: expected ${expected}`, { where: { byte } });
}
