/** Memory in which lines become records, and the WebAssembly kernel that works in it (frame-lines.wat). */
import { FRAME_LINES_KERNEL } from './frame-lines-kernel.ts';

export interface FrameMemory extends Kernel {
  /** All of it; another Buffer of the same bytes, and more, after growFrameMemory. */
  bytes: Buffer;
  readonly memory: WebAssembly.Memory;
}

interface Kernel {
  /** See frame-lines.wat. */
  readonly frameLines: (
    start: number,
    end: number,
    out: number,
    limit: number,
    offsetDelta: number,
    maxBytes: number,
  ) => [start: number, out: number, offsetDelta: number];
}

const PAGE_BYTES = 64 * 1024;
/** More than this and a batch size is misconfigured; a RecordBatch itself ends at 2 GiB. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** A larger one, from a single unusual batch, is given back to the system. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

const kernel = new WebAssembly.Module(FRAME_LINES_KERNEL);
let spare: FrameMemory | undefined;

/**
 * At least `bytes` bytes, those of the batch before where possible: fresh memory for each batch costs a page fault every
 * four kilobytes. Whoever takes it owns it until putBackFrameMemory, so batches that overlap never share.
 */
export function takeFrameMemory(bytes: number): FrameMemory {
  const taken = spare ?? newFrameMemory(bytes);
  spare = undefined;
  growFrameMemory(taken, bytes);
  return taken;
}

export function putBackFrameMemory(memory: FrameMemory): void {
  if (memory.bytes.length <= MAX_KEPT_BYTES) spare = memory;
}

/** Makes it at least `bytes` long. What is in it stays; views of it are gone. */
export function growFrameMemory(frame: FrameMemory, bytes: number): void {
  const { length } = frame.bytes;
  if (bytes <= length) return;
  const wanted = pagesOf(Math.max(bytes, Math.min(2 * length, MAX_BYTES)));
  frame.memory.grow(wanted - length / PAGE_BYTES);
  frame.bytes = Buffer.from(frame.memory.buffer);
}

function newFrameMemory(bytes: number): FrameMemory {
  const memory = new WebAssembly.Memory({ initial: pagesOf(bytes), maximum: MAX_BYTES / PAGE_BYTES });
  const instance = new WebAssembly.Instance<Kernel>(kernel, { scratch: { memory } });
  return { bytes: Buffer.from(memory.buffer), memory, frameLines: instance.exports.frameLines };
}

function pagesOf(bytes: number): number {
  if (bytes > MAX_BYTES) throw new RangeError(`a batch needs ${bytes} bytes of working memory`);
  return Math.ceil(bytes / PAGE_BYTES);
}
