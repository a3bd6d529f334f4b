import { SkaldError, messageOf } from '../errors.ts';
import type { CodecName } from './codec.ts';

/** A CODEC_FAILED that names the codec and the byte of the input from which the refused part starts. */
export function codecFailed(codec: CodecName, byte: number, problem: string, cause?: unknown): SkaldError {
  const reason = cause === undefined ? '' : `: ${messageOf(cause)}`;
  return new SkaldError('CODEC_FAILED', `${codec} input refused at byte ${byte}: ${problem}${reason}`, {
    cause,
    where: { codec, byte },
  });
}

/**
 * The refusal of input that would need more memory than the caller allows, which is how a decompression bomb
 * ends.
 */
export function outputTooLarge(codec: CodecName, byte: number, maxOutputBytes: number): SkaldError {
  return codecFailed(codec, byte, `it decompresses to more than the ${maxOutputBytes} bytes allowed`);
}
