import { open } from 'node:fs/promises';
import type { WritableCodecName } from '../shared/codec/codec.ts';
import { compress } from '../shared/codec/compress.ts';
import { decompress } from '../shared/codec/decompress.ts';

/** Text of a batch as the agent makes it, and of a frame of an object. */
const BATCH_BYTES = 1024 * 1024;
const FRAME_BYTES = 6 * BATCH_BYTES;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * CPU seconds per GB of text that nothing which reads zstd batches and writes compressed objects can do without:
 * decompressing the one and compressing the other, in memory, without Kafka, records or a store.
 */
export async function bareCodecsPerGb(
  file: string,
  codec: WritableCodecName,
  level: number,
): Promise<number> {
  const text = await beginningOf(file);
  const batches = await Promise.all(slices(text, BATCH_BYTES).map((slice) => compress('zstd', slice)));
  return cpuPerGb(text, async () => {
    for (const batch of batches) await decompress('zstd', batch, 2 * BATCH_BYTES);
    for (const slice of slices(text, FRAME_BYTES)) await compress(codec, slice, { level });
  });
}

/** CPU seconds per GB of text of the compressor alone, a batch at a time. */
export async function bareCompressionPerGb(
  file: string,
  codec: WritableCodecName,
  level?: number,
): Promise<number> {
  const text = await beginningOf(file);
  return cpuPerGb(text, async () => {
    for (const slice of slices(text, BATCH_BYTES)) await compress(codec, slice, { level });
  });
}

async function cpuPerGb(text: Uint8Array, work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / (text.length / 1e9);
}

async function beginningOf(file: string): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const text = Buffer.allocUnsafe(MOST_BYTES);
    const { bytesRead } = await handle.read(text, 0, MOST_BYTES, 0);
    return text.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function slices(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}
