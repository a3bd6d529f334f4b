import { freeBytes } from '../free-bytes.ts';
import type { SharedBuffers } from '../shared-buffers.ts';

export type AnswerMemory = Pick<SharedBuffers, 'take'>;

/** Of an answer's size, which does not count itself. */
const SIZE_BYTES = 4;
/** About what a socket reads at once. */
const SMALL_BYTES = 64 * 1024;
/** What says that it is larger may not be an answer at all. */
const LARGE_BYTES = 64 * 1024 ** 2;

/**
 * Puts large answers of a broker together as they come, in shared memory that is used again, and passes each on whole, with its
 * size in front. kafkajs would keep the pieces and join them at the end: twice the memory, all of it garbage afterwards. What
 * else comes is passed on as it comes. Who gets an answer gives its memory back.
 */
export function answerReader(
  memory: AnswerMemory,
  onBytes: (bytes: Buffer) => void,
): (piece: Buffer) => void {
  /** A large one that has begun, and how much of it is there. */
  let answer: Buffer | undefined;
  let filledBytes = 0;
  /** Still to come of another one. */
  let passingBytes = 0;
  /** The beginning of a size. */
  let cutSize: Buffer | undefined;

  const fill = (whole: Buffer, piece: Buffer, from: number): number => {
    const copied = piece.copy(whole, filledBytes, from);
    filledBytes += copied;
    if (filledBytes === whole.length) {
      answer = undefined;
      onBytes(whole);
    }
    return copied;
  };

  /** @returns how much of the piece was passed on or filled in: all but the beginning of a size */
  const take = (piece: Buffer): number => {
    let at = 0;
    let passFrom = 0;
    const passOn = (): void => {
      if (at > passFrom) onBytes(piece.subarray(passFrom, at));
    };
    while (at < piece.length) {
      if (answer !== undefined) {
        at += fill(answer, piece, at);
        passFrom = at;
        continue;
      }
      if (passingBytes === 0) {
        if (piece.length - at < SIZE_BYTES) break;
        const bytes = SIZE_BYTES + piece.readInt32BE(at);
        const isCut = bytes > piece.length - at;
        if (isCut && bytes > SMALL_BYTES && bytes <= LARGE_BYTES) {
          passOn();
          answer = memory.take(bytes);
          filledBytes = 0;
          continue;
        }
        passingBytes = Math.max(SIZE_BYTES, bytes); // a negative size is for kafkajs to refuse
      }
      const passed = Math.min(passingBytes, piece.length - at);
      passingBytes -= passed;
      at += passed;
    }
    passOn();
    return at;
  };

  return (received) => {
    const isFilledIn = answer !== undefined && received.length < answer.length - filledBytes;
    const piece = cutSize === undefined ? received : Buffer.concat([cutSize, received]);
    const taken = take(piece);
    cutSize = taken < piece.length ? Buffer.from(piece.subarray(taken)) : undefined;
    if (isFilledIn) freeBytes(received);
  };
}
