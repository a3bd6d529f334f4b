/**
 * `limits.memoryBytes` is what the whole process may take. The memory budget counts data; what Node, its threads, the
 * garbage and the allocator take beside them is measured, and data get the rest.
 */
import type { Clock } from '../shared/clock.ts';
import { garbageCollector } from '../shared/collect-garbage.ts';
import { DECODE_THREAD_BYTES } from '../shared/config/transporter-config.ts';
import type { MemoryBudget } from './memory-budget.ts';

export interface ProcessMemory {
  /** Resident set size: what the kernel and its limits go by. */
  rssBytes(): number;
  /** Buffers of the main thread, those included that came from decoding threads and those that nobody uses any more. */
  bufferBytes(): number;
  collectGarbage(): void;
}

export function thisProcess(): ProcessMemory {
  return {
    rssBytes: () => process.memoryUsage.rss(),
    // `arrayBuffers` would leave out what came from other threads: it counts for the thread that made them.
    bufferBytes: () => process.memoryUsage().external,
    collectGarbage: garbageCollector(),
  };
}

export interface MemoryLimits {
  memoryBytes: number;
  /** What to expect beside data before anything was measured, and at least. */
  baseBytes: number;
}

const MIB = 1024 ** 2;
/** Node with its code, the clients of Kafka and S3, and what is known of some thousand partitions. */
const MAIN_BYTES = 152 * MIB;

export function baseBytesOf(decodeThreads: number): number {
  return MAIN_BYTES + decodeThreads * DECODE_THREAD_BYTES;
}

const LOOK_MS = 50;
/** Stays free for what comes between two looks. */
const MARGIN = 0.1;
/** Data get this much in any case, or a limit that is too low would stop the worker. */
const LEAST_SHARE = 0.125;
/** Of what was taken beside data and is not any more, this much is believed at each look: it comes again. */
const BELIEF_IN_LESS = 0.004;
/** From here on garbage is collected when there may be so much of it. */
const COLLECT_FROM = 0.75;
const COLLECT_BYTES = 16 * MIB;

/** One look: how many bytes data may take now. */
export function createDataLimit({ memoryBytes, baseBytes }: MemoryLimits, memory: ProcessMemory) {
  let besideBytes = baseBytes;
  /** Buffers beside data that are in use, as far as the last collection knows: answers on their way are. */
  let inUseBytes = 0;

  return (heldBytes: number): number => {
    const otherBytes = (): number => Math.max(0, memory.bufferBytes() - heldBytes);
    inUseBytes = Math.min(inUseBytes, otherBytes());
    if (memory.rssBytes() > COLLECT_FROM * memoryBytes && otherBytes() - inUseBytes > COLLECT_BYTES) {
      memory.collectGarbage();
      inUseBytes = otherBytes();
    }
    const seenBytes = Math.max(memory.rssBytes() - heldBytes, baseBytes);
    besideBytes =
      seenBytes > besideBytes ? seenBytes : besideBytes + (seenBytes - besideBytes) * BELIEF_IN_LESS;
    return Math.floor(Math.max(memoryBytes * (1 - MARGIN) - besideBytes, memoryBytes * LEAST_SHARE));
  };
}

/** Looks now, and then again and again until the signal aborts. */
export async function limitProcessMemory(
  budget: MemoryBudget,
  limits: MemoryLimits,
  { memory, clock, signal }: { memory: ProcessMemory; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const dataLimit = createDataLimit(limits, memory);
  while (!signal.aborted) {
    budget.setLimit(dataLimit(budget.usedBytes - budget.promisedBytes));
    await clock.sleep(LOOK_MS, signal);
  }
}
